import { batchOf, written } from '../../database/testing/edits.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeUtf8 } from '../../common/bytes.ts';
import { encodeKey } from '../../datum/key.ts';
import { RealDisk } from '../../disk/real-disk.ts';
import { change, groupOf, indexesReady, textsOf } from '../../transfer/testing/home.ts';
import { openDirectory } from '../../storage/directory.ts';
import { encodeAgain } from '../../table/command.ts';
import { openWal } from '../../wal/open-wal.ts';
import { machineClock } from '../clock.ts';
import { UsageError } from './names.ts';
import { withDatabase } from './offline.ts';
import { repair } from './repair.ts';
import { machineChance } from '../chance.ts';
import { newTable } from '../../metadata/testing/new-table.ts';

const { signal } = new AbortController();

/** A database `d` with a table `t`, an index over it, and two documents. */
async function fill(path: string): Promise<void> {
  openDirectory(path, { cluster: 'cluster', node: 'node' }, machineChance)[Symbol.dispose]();
  await withDatabase(path, signal, async (database) => {
    await change(database, { type: 'createDatabase', id: 'd', name: 'd' });
    await change(database, { type: 'createTable', table: newTable('t') });
    const index = { name: 'v', multi: false, geo: false, definition: '"v"' };
    await change(database, { type: 'createIndex', tableId: 't', index });
    const edits = ['a', 'b'].map((id) => ({ key: encodeKey(id), change: written({ id, v: id }) }));
    await groupOf(database).edit(batchOf(edits), signal);
    await indexesReady(database, 't');
  });
}

/** Behind what the log has for the table. */
async function append(path: string, payloads: readonly Uint8Array[]): Promise<void> {
  const log = await openWal({
    disk: new RealDisk(),
    directory: join(path, 'wal'),
    clock: machineClock,
    random: Math.random,
    replayFrom: () => Number.MAX_SAFE_INTEGER,
    onRecord: () => undefined,
    onProgress: () => undefined,
    signal,
  });
  const first = (log.recovery.lastIndex(1)?.index ?? 0) + 1;
  await log.append(
    payloads.map((payload, at) => ({ group: 1, term: 1, index: first + at, kind: 1, payload })),
  );
  await log.close();
}

const refusalOf = (path: string): Promise<string> =>
  withDatabase(path, signal, async (database) => {
    const [read] = await Promise.allSettled([textsOf(database, 't')]);
    return read.status === 'rejected' ? (read.reason as Error).message : 'answered';
  });

describe('the repair of a data directory', function slow() {
  this.timeout(60_000);
  let path: string;

  const run = (...args: readonly string[]): Promise<string> =>
    repair([path, ...args], { discard: false }, signal);

  beforeEach(async () => {
    path = join(mkdtempSync(join(tmpdir(), 'photondb-repair-')), 'data');
    await fill(path);
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('says that nothing is damaged', async () => {
    expect(await run()).to.contain('1 tables and 1 indexes, none of them known as damaged');
  });

  it('takes a table out of service and back, with what its log has for it', async () => {
    await run('quarantine', 'd.t');
    expect(await run()).to.contain('table d.t: It was taken out of service');
    const document = encodeUtf8('{"id":"c","v":"c"}');
    const operations = [{ key: encodeKey('c'), expectedVersion: 0, body: document }];
    await append(path, [encodeAgain({ keyspace: 1, version: 99, operations })]);
    expect(await refusalOf(path))
      .to.contain('Table `d.t` is damaged')
      .and.contain('out of service');
    expect(await run('release', 'd.t')).to.contain('from the next start on');
    expect(await run('release', 'd.t')).to.contain('is not in quarantine');
    await withDatabase(path, signal, async (database) => {
      expect(await textsOf(database, 't')).to.have.length(3);
      expect(await database.scrub()).to.deep.equal([]);
    });
  });

  it('names entries of the log that cannot be applied, and discards them on request', async () => {
    await append(path, [encodeUtf8('no command')]);
    expect(await run()).to.match(/^log of table d\.t: Entry \d+ of its log .* cannot be applied: /);
    expect(await refusalOf(path)).to.contain('cannot be applied');
    await run('release', 'd.t');
    expect(await refusalOf(path)).to.contain('cannot be applied');
    expect(await repair([path, 'release', 'd.t'], { discard: true }, signal)).to.contain(
      'without 1 entries of its log',
    );
    expect(await refusalOf(path)).to.equal('answered');
  });

  it('drops an index that is not applied yet, and calls no function', async () => {
    expect(await run('drop-index', 'd.t', 'v')).to.equal('Index `v` of table `d.t` was dropped.');
    await withDatabase(path, signal, async (database) => {
      expect(database.state.tables['t']?.indexes).to.deep.equal([]);
      expect(await textsOf(database, 't')).to.have.length(2);
    });
  });

  it('leaves a store that was never flushed with its list of tables, whatever the log holds', async () => {
    await append(path, [
      encodeAgain({
        keyspace: 1,
        version: 99,
        operations: [
          {
            key: encodeKey('c'),
            expectedVersion: 0,
            body: encodeUtf8('{"id":"c","v":{"$reql_type$":"BINARY","data":"!"}}'),
          },
        ],
      }),
      encodeUtf8('no command'),
    ]);
    // As after a power cut before the first flush: the log has everything.
    rmSync(join(path, 'store'), { recursive: true });
    for (let times = 0; times < 2; times += 1) {
      expect(await run()).to.contain('cannot be applied');
      await withDatabase(path, signal, async (database) => {
        await database.settled();
        await database.scrub();
        expect(database.corruption.tables().map(({ name }) => name)).to.deep.equal(['d.t']);
      });
    }
    await repair([path, 'release', 'd.t'], { discard: true }, signal);
    expect(await refusalOf(path)).to.contain('no document');
  });

  it('refuses what it does not know, before it opens anything', async () => {
    for (const args of [['mend', 'd.t'], ['drop-index', 'd.t'], ['release']]) {
      const [refused] = await Promise.allSettled([Promise.resolve().then(() => run(...args))]);
      expect(refused).to.have.property('reason').that.is.instanceOf(UsageError);
    }
    for (const args of [
      ['drop-index', 'd.t', 'w'],
      ['quarantine', 'd.none'],
      ['release', 'd'],
    ]) {
      const [refused] = await Promise.allSettled([run(...args)]);
      expect(refused).to.have.property('reason').that.is.instanceOf(UsageError);
    }
  });
});
