import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { options } from '../dataplane/config/options.ts';

const path = 'docs/reference/configuration.md';

/** The page of the options, from the table that the node itself reads them by. */
function page(): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const value = [option.default].flat().join(',');
    return `| \`${name}\` | ${option.type} | ${value === '' ? '' : `\`${value}\``} | ${option.doc} |`;
  });
  return [
    '# Configuration of a node',
    '',
    'Each option is a flag (`--data-dir DIR`), a variable (`PHOTONDB_DATA_DIR`) and a key of the YAML file that',
    '`--config FILE` names. Flags come before variables, variables before the file. An unknown key is an error.',
    '',
    '| option | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

describe('the reference of the configuration', () => {
  it('lists every option of a node (PHOTONDB_TEST_UPDATE=1 rewrites it)', () => {
    if (process.env['PHOTONDB_TEST_UPDATE'] === '1') writeFileSync(path, page());
    expect(readFileSync(path, 'utf8')).to.equal(page());
  });
});
