import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { pythonWithDriver } from './python-driver.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

const run = promisify(execFile);
const toolDeadlineMs = 120_000;
const script = join(import.meta.dirname, 'tools.py');

interface Said {
  readonly code: number;
  readonly text: string;
}

const hookOf = (table: unknown): unknown => (table as { readonly hook: unknown }).hook;

describe('the tools of the Python package', function tools() {
  this.timeout(300_000);
  const directory = temporaryDirectory();
  const nodes: Served[] = [];
  let python = '';

  before(async () => {
    python = await pythonWithDriver();
    for (const name of ['source', 'target']) {
      const data = join(directory, name);
      mkdirSync(data);
      nodes.push(await serve(data));
    }
    await data('fill', address(0));
  });

  after(async () => {
    for (const node of nodes) await end(node);
    removeDirectory(directory);
  });

  const address = (node: number): string => `${nodes[node]?.host}:${nodes[node]?.driverPort}`;
  const data = async (what: string, where: string): Promise<string> => {
    const { stdout } = await run(python, [script, what, where], {
      timeout: toolDeadlineMs,
      maxBuffer: 64 * 1_048_576,
    });
    return stdout;
  };
  const digest = async (node: number): Promise<Record<string, unknown>> =>
    JSON.parse(await data('digest', address(node))) as Record<string, unknown>;

  /** `rethinkdb TOOL ...` as its users start it. */
  const tool = async (...args: readonly string[]): Promise<Said> => {
    const options = { timeout: toolDeadlineMs, cwd: directory };
    const all = ['-W', 'ignore', '-m', 'rethinkdb', ...args];
    try {
      const { stdout, stderr } = await run(python, all, options);
      return { code: 0, text: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, text: stdout + stderr };
    }
  };
  const succeeds = async (...args: readonly string[]): Promise<string> => {
    const { code, text } = await tool(...args);
    expect(code, text).to.equal(0);
    return text;
  };

  it('dump a database and restore it on another node', async () => {
    const text = await succeeds('dump', '-c', address(0), '-e', 'shop', '-f', 'shop.tar.gz');
    expect(text).to.match(/1300 rows exported from 3 tables, .* and 1 hook function/);
    await succeeds('restore', '-c', address(1), 'shop.tar.gz');
    expect(await digest(1)).to.deep.equal(await digest(0));
  });

  it('refuse to restore over tables that are there', async () => {
    const { code, text } = await tool('restore', '-c', address(1), 'shop.tar.gz');
    expect(code).to.equal(1);
    expect(text).to.contain('already exist');
    await succeeds('restore', '-c', address(1), 'shop.tar.gz', '--force');
    // With --force the tool writes through the hook of a table that is there: look at the others.
    const [source, target] = [await digest(0), await digest(1)];
    expect(target['people']).to.deep.equal(source['people']);
    expect(target['orders']).to.have.property('hook').that.deep.equals(hookOf(source['orders']));
    await data('drop', address(1));
  });

  it('export tables as files and import the directory', async () => {
    await succeeds('export', '-c', address(0), '-e', 'shop', '-d', 'exported');
    const files = readdirSync(join(directory, 'exported', 'shop')).sort();
    expect(files).to.deep.equal(
      ['empty', 'orders', 'people'].flatMap((table) => [`${table}.info`, `${table}.json`]),
    );
    await succeeds('import', '-c', address(1), '-d', 'exported');
    expect(await digest(1)).to.deep.equal(await digest(0));
    await data('drop', address(1));
  });

  it('write functions as RethinkDB reads them', () => {
    const file = join(directory, 'exported', 'shop', 'orders.info');
    const info = JSON.parse(readFileSync(file, 'utf8')) as {
      indexes: { index: string; function: { data: string } }[];
      write_hook: { function: { data: string } };
    };
    const starts = (bytes: string, length: number): string =>
      Buffer.from(bytes, 'base64').toString('latin1', 0, length);
    for (const { function: bytes } of info.indexes)
      expect(starts(bytes.data, 25)).to.equal('$reql_index_function$\x09\x07\x07\x07');
    expect(starts(info.write_hook.function.data, 26)).to.equal('$reql_write_hook_function$');
  });

  it('import single files of CSV and JSON, and export CSV', async () => {
    writeFileSync(join(directory, 'rows.csv'), 'id,text\r\n1,"a, ""b"""\r\n2,grün\r\n');
    const csv = ['--format', 'csv', '--table', 'shop.csv'];
    await succeeds('import', '-c', address(1), '-f', 'rows.csv', ...csv);
    const fields = ['--format', 'csv', '--fields', 'id,text'];
    await succeeds('export', '-c', address(1), '-e', 'shop.csv', '-d', 'csv', ...fields);
    const lines = readFileSync(join(directory, 'csv', 'shop', 'csv.csv'), 'utf8')
      .trim()
      .split('\r\n');
    expect(lines.sort()).to.deep.equal(['1,"a, ""b"""', '2,grün', 'id,text']);
    writeFileSync(join(directory, 'rows.json'), '[{"name": 1}, {"name": 2, "at": [1.5, null]}]');
    const json = ['--table', 'shop.rows', '--pkey', 'name'];
    await succeeds('import', '-c', address(1), '-f', 'rows.json', ...json);
    const { rows } = (await digest(1)) as { rows: { key: string; documents: string[] } };
    expect(rows.key).to.equal('name');
    expect(rows.documents).to.deep.equal(['{"at": [1.5, null], "name": 2}', '{"name": 1}']);
    await data('drop', address(1));
  });

  it('rebuild indexes', async () => {
    const before = await digest(0);
    await succeeds('index_rebuild', '-c', address(0), '-r', 'shop.orders');
    expect(await digest(0)).to.deep.equal(before);
  });

  it('restore a dump of RethinkDB, with its indexes and its hook', async () => {
    await data('dump', join(directory, 'rethinkdb.tar.gz'));
    await succeeds('restore', '-c', address(1), 'rethinkdb.tar.gz');
    expect(JSON.parse(await data('keepers', address(1)))).to.deep.equal({
      // Rows come in as they are: the hook is for what is written afterwards.
      restored: [3, 0],
      age: ['bob'],
      pets: ['ann', 'bob'],
      'through the hook': [1, { by: 'hook' }],
      indexes: [
        ['age', false],
        ['pets', true],
      ],
    });
  });

  it('say what is not there', async () => {
    const { code, text } = await tool('export', '-c', address(0), '-e', 'none', '-d', 'none');
    expect(code).to.not.equal(0);
    expect(text).to.contain('none');
  });
});
