import { batchOf, written } from '../../database/testing/edits.ts';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeKey } from '../../datum/key.ts';
import { Prng } from '../../common/prng.ts';
import type { Database } from '../../database/database.ts';
import { change, groupOf, textsOf } from '../../transfer/testing/home.ts';
import { openDirectory } from '../../storage/directory.ts';
import { LmdbStore } from '../../storage/lmdb-store.ts';
import { writeFile } from '../../membership/cluster-files.ts';
import { keyspaceKey } from '../../table/envelope.ts';
import { storeDirectoryOf } from '../open-data.ts';
import { filesOf, withDatabase } from './offline.ts';
import { machineClock } from '../clock.ts';
import { machineChance } from '../chance.ts';
import { newTable } from '../../metadata/testing/new-table.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const { signal } = new AbortController();
const documents = 2_000;

interface Ended {
  readonly code: number | null;
  readonly output: Buffer;
  readonly said: string;
}

const start = (...args: readonly string[]): ChildProcess =>
  spawn(execPath, ['--disable-warning=ExperimentalWarning', program, ...args]);

async function ended(child: ChildProcess): Promise<Ended> {
  const [output, said]: Buffer[][] = [[], []];
  child.stdout?.on('data', (bytes: Buffer) => output?.push(bytes));
  child.stderr?.on('data', (bytes: Buffer) => said?.push(bytes));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: Buffer.concat(output ?? []), said: Buffer.concat(said ?? []).toString() };
}

const run = (...args: readonly string[]): Promise<Ended> => ended(start(...args));

/** A data directory with a database `d`, and in it a table `t` with an index. */
async function fill(path: string): Promise<void> {
  openDirectory(path, { cluster: 'cluster', node: 'node' }, machineChance)[Symbol.dispose]();
  await withDatabase(path, signal, async (database) => {
    await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
    await change(database, { type: 'createTable', table: newTable('t') });
    const edits = Array.from({ length: documents }, (_, n) => {
      const id = `k${String(n).padStart(5, '0')}`;
      return { key: encodeKey(id), change: written({ id, v: 'x'.repeat(n % 700) }) };
    });
    await groupOf(database).edit(batchOf(edits), signal);
  });
}

describe('the tool for a data directory, as a process', function processes() {
  this.timeout(120_000);
  let root: string;
  let directory: string;
  let file: string;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'photondb-tool-'));
    directory = join(root, 'data');
    file = join(root, 'table.export');
    await fill(directory);
    const exported = await run('export', directory, 'd.t', file);
    expect(exported.said).to.equal(`d.t: ${documents} documents were exported\n`);
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  it('exports, verifies and imports a table', async () => {
    const verified = await run('verify', file);
    expect(verified).to.deep.include({ code: 0, said: `d.t: ${documents} documents, whole\n` });
    const imported = await run('import', directory, file, '--as', 'd.copy');
    expect(imported).to.deep.include({
      code: 0,
      said: `d.copy: ${documents} documents were imported\n`,
    });
    await withDatabase(directory, signal, async (database) => {
      const copy = Object.values(database.state.tables).find(({ name }) => name === 'copy');
      expect(await textsOf(database, copy?.id)).to.deep.equal(await textsOf(database, 't'));
    });
  });

  it('speaks with other programs', async () => {
    const exported = await run('export', directory, 'd.t', '-');
    expect(exported.output.equals(readFileSync(file))).to.equal(true);
    const child = start('import', directory, '-', '--as', 'd.piped');
    child.stdin?.end(exported.output);
    expect((await ended(child)).said).to.contain(`d.piped: ${documents} documents were imported`);
  });

  it('ends with 1 for what is damaged or not possible, and leaves no half of a file', async () => {
    const bytes = readFileSync(file);
    const damaged = join(root, 'damaged.export');
    writeFileSync(damaged, bytes.with(70_000, (bytes[70_000] ?? 0) ^ 1));
    for (const command of [
      ['verify', damaged],
      ['import', directory, damaged],
    ]) {
      const { code, said } = await run(
        ...command,
        ...(command.length > 2 ? ['--as', 'd.bad'] : []),
      );
      expect(code).to.equal(1);
      expect(said).to.contain('The export is damaged at byte').and.contain('a checksum is wrong');
    }
    expect(await run('verify', directory)).to.deep.include({
      code: 1,
      said: `${directory} is a directory: name the file of an exported table.\n`,
    });
    expect(await run('import', directory, file)).to.deep.include({
      code: 1,
      said: 'Table `d.t` already exists.\n',
    });
    expect((await run('export', directory, 'd.t', file)).said).to.contain('exists');
    expect((await run('export', directory, 'd.t', join(root, 'no', 'x'))).code).to.equal(1);
    using _held = openDirectory(directory, { cluster: 'cluster', node: 'node' }, machineChance);
    expect((await run('compact', directory)).said).to.contain('in use by another process');
    expect(readdirSync(root).sort((a, b) => (a < b ? -1 : 1))).to.deep.equal([
      'damaged.export',
      'data',
      'table.export',
    ]);
  });

  it('scrubs, and closes a table that lost a document', async () => {
    const path = join(root, 'scrubbed');
    await fill(path);
    expect(await run('scrub', path)).to.deep.include({
      code: 0,
      said: `${documents} documents and index entries are intact\n`,
    });
    const store = new LmdbStore({ clock: machineClock, directory: storeDirectoryOf(path) });
    await store.write((transaction) => {
      transaction.remove('data', keyspaceKey(1, encodeKey('k00007')));
    });
    await store.close();
    for (const _ of ['found', 'known']) {
      const { code, said } = await run('scrub', path);
      expect(code).to.equal(1);
      expect(said).to.contain('d.t: ').and.contain('it has 1999 rows').and.contain('2000 of');
    }
    // What is left of it can be taken out all the same, and becomes a table.
    const saved = join(root, 'saved.export');
    expect((await run('export', path, 'd.t', saved)).code).to.equal(1);
    expect((await run('salvage', path, 'd.t', saved)).said).to.equal(
      'd.t: 1999 of 2000 documents are in the file, 0 are damaged\n',
    );
    expect(await run('import', path, saved, '--as', 'd.saved')).to.deep.include({
      code: 0,
      said: 'd.saved: 1999 documents were imported\n',
    });
    rmSync(path, { recursive: true });
    rmSync(saved);
  });

  it('salvages intact documents, and names the others', async () => {
    const path = join(root, 'salvaged');
    await fill(path);
    const store = new LmdbStore({ clock: machineClock, directory: storeDirectoryOf(path) });
    await store.write((transaction) => {
      for (const name of ['k00007', 'k01999']) {
        const key = keyspaceKey(1, encodeKey(name));
        const value = transaction.get('data', key) ?? new Uint8Array();
        transaction.put('data', key, value.with(20, (value[20] ?? 0) ^ 1));
      }
    });
    await store.close();
    const saved = join(root, 'saved.export');
    const { code, said } = await run('salvage', path, 'd.t', saved);
    expect(code).to.equal(0);
    expect(said).to.equal(
      'd.t: 1998 of 2000 documents are in the file, 2 are damaged; the keys of the damaged ones begin with 806b30303030370001, 806b30313939390001\n',
    );
    expect((await run('verify', saved)).said).to.contain('1998 documents, whole');
    rmSync(path, { recursive: true });
    rmSync(saved);
  });

  it('says how it is called when it is asked', async () => {
    for (const flag of ['--help', '-h']) {
      const { code, output, said } = await run(flag);
      expect([code, said]).to.deep.equal([0, '']);
      expect(output.toString()).to.contain('npm run storage -- export').and.contain('--data-dir');
    }
  });

  it('refuses a copy of replicated tables, and leaves it as it is', async () => {
    writeFile(filesOf(directory), 'replication', { isFounder: true });
    try {
      for (const args of [
        ['export', directory, 'd.t', join(root, 'replicated.export')],
        ['import', directory, file, '--as', 'd.again'],
        ['scrub', directory],
        ['repair', directory],
      ]) {
        const { code, said } = await run(...args);
        expect(code, args.join(' ')).to.equal(1);
        expect(said).to.contain('one copy alone does not say what is committed');
      }
      expect(existsSync(join(root, 'replicated.export'))).to.equal(false);
    } finally {
      rmSync(join(directory, 'cluster', 'replication.json'));
    }
  });

  it('ends with 2 and says how it is called', async () => {
    for (const args of [['nothing'], ['verify', '--x'], ['repair', directory, 'mend']]) {
      const { code, said } = await run(...args);
      expect(code, args.join(' ')).to.equal(2);
      expect(said).to.contain('npm run storage -- export DIRECTORY DATABASE.TABLE FILE');
    }
  });

  it('compacts the data file', async () => {
    const { code, said } = await run('compact', directory);
    expect(code).to.equal(0);
    const [before = 0, after = 0] = Array.from(said.matchAll(/\d+/g), Number);
    expect(after).to.be.within(1, before);
    expect(existsSync(join(directory, 'store-copy'))).to.equal(false);
  });

  it('imports a whole table or none, wherever its process is killed', async () => {
    const bytes = readFileSync(file);
    const prng = new Prng(11);
    const tablesIn = ({ state }: Database): number => Object.keys(state.tables).length;
    let tables = await withDatabase(directory, signal, (database) =>
      Promise.resolve(tablesIn(database)),
    );
    for (let round = 0; round < 10; round += 1) {
      const name = `round${round}`;
      const child = start('import', directory, '-', '--as', `d.${name}`);
      const end = ended(child);
      // Half of the rounds end in the middle of the rows, the others about when the table appears.
      const part = round % 2 === 0 ? prng.below(bytes.byteLength) : bytes.byteLength;
      child.stdin?.on('error', () => undefined);
      await new Promise<void>((resolve) => {
        child.stdin?.write(bytes.subarray(0, part), () => resolve());
      });
      if (part === bytes.byteLength) child.stdin?.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), prng.below(60));
      await end;
      clearTimeout(timer);
      await withDatabase(directory, signal, async (database) => {
        while (database.state.garbage.length > 0) await database.changed(signal);
        expect(database.state.imports ?? []).to.deep.equal([]);
        const made = Object.values(database.state.tables).find((table) => table.name === name);
        if (made !== undefined) {
          tables += 1;

          expect(await textsOf(database, made.id)).to.deep.equal(await textsOf(database, 't'));
        }
        expect(tablesIn(database), name).to.equal(tables);
        await nextTurn();
      });
    }
  });
});
