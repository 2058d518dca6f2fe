import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import { loadDatasets } from '../k8s/local/load-datasets.ts';
import { pythonWithDriver } from './drivers/python-driver.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './drivers/serve.ts';
import type { Served } from './drivers/serve.ts';

/** The README's programs, as they stand there, against a node with the data that `up` loads. */
const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const run = promisify(execFile);
const programDeadlineMs = 30_000;

/** The first program of a language, and the output that the README shows below it. */
function shown(language: string): { readonly program: string; readonly output: string } {
  const match = new RegExp(`\`\`\`${language}\\n(.*?)\`\`\`\\s+\`\`\`text\\n(.*?)\`\`\``, 's').exec(
    readme,
  );
  return { program: match?.[1] ?? '', output: match?.[2] ?? '' };
}

describe('the programs of the README', function () {
  // Loading 30,000 documents, and on the first run installing the Python driver.
  this.timeout(300_000);
  let data: string;
  let place: string;
  let node: Served | undefined;

  before(async () => {
    data = temporaryDirectory();
    place = temporaryDirectory();
    node = await serve(data);
    const { host, driverPort } = node;
    const connection = await r.connect({ host, port: driverPort });
    await loadDatasets(connection, () => undefined);
    await connection.close();
    const up = { driver: `${host}:${driverPort}`, user: 'admin', password: '' };
    mkdirSync(join(place, '.photondb'));
    writeFileSync(join(place, '.photondb', 'up.json'), JSON.stringify(up));
    symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'));
  });

  after(async () => {
    if (node !== undefined) await end(node);
    removeDirectory(data);
    removeDirectory(place);
  });

  it('in JavaScript print what it says', async () => {
    const { program, output } = shown('js');
    const file = join(place, 'program.mjs');
    writeFileSync(file, program);
    const options = { cwd: place, timeout: programDeadlineMs };
    expect((await run(process.execPath, [file], options)).stdout).to.equal(output);
  });

  it('in Python print what it says', async () => {
    const { program, output } = shown('python');
    const file = join(place, 'program.py');
    writeFileSync(file, program);
    const options = { cwd: place, timeout: programDeadlineMs };
    expect((await run(await pythonWithDriver(), [file], options)).stdout).to.equal(output);
  });
});

describe('the manifest of the README', () => {
  it('is the sample that it names', () => {
    const [, manifest] = /```yaml\n(.*?)```/s.exec(readme) ?? [];
    expect(readme).to.contain('This is `k8s/samples/orders.yaml`');
    expect(readFileSync(join(root, 'k8s', 'samples', 'orders.yaml'), 'utf8')).to.equal(manifest);
  });
});
