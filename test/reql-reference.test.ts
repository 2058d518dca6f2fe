import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { specialTerms } from '../dataplane/query/compile.ts';
import { termNames } from '../dataplane/query/term-table.ts';
import { definitions } from '../dataplane/query/terms/all.ts';

const path = 'docs/reference/reql.md';

/** The page of the terms, from the tables that the query engine itself uses. */
function page(): string {
  const implemented = (number: number): boolean =>
    definitions.has(number) || specialTerms.has(number);
  const names = [...termNames].map(([number, name]) => ({ name, there: implemented(number) }));
  const list = (there: boolean): string =>
    names
      .filter((term) => term.there === there)
      .map(({ name }) => `\`${name}\``)
      .sort()
      .join(', ');
  const count = names.filter(({ there }) => there).length;
  return [
    '# ReQL: what this version evaluates',
    '',
    `${count} of the protocol's ${names.length} terms are there, under the names of the protocol. Every other one is`,
    'refused when the query is compiled, by an error that names it.',
    '',
    '## There',
    '',
    list(true),
    '',
    '## Not there yet',
    '',
    list(false),
    '',
    '## Options of its own',
    '',
    'Drivers pass on what they do not know: `expireAt` in JavaScript, `expire_at` in Python.',
    '',
    '| Term | Option | Holds |',
    '| --- | --- | --- |',
    '| `TABLE_CREATE`, `RECONFIGURE` | `expire_at` | the field whose time [ends a document](../concepts/expiry.md); null for none |',
    '',
  ].join('\n');
}

describe('the reference of ReQL', () => {
  it('lists the terms that the query engine evaluates (PHOTONDB_UPDATE=1 writes it anew)', () => {
    if (process.env['PHOTONDB_UPDATE'] === '1') writeFileSync(path, page());
    expect(readFileSync(path, 'utf8')).to.equal(page());
  });
});
