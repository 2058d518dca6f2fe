import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { encodeUtf8 } from '../../dataplane/common/bytes.ts';
import { encodeKey } from '../../dataplane/datum/key.ts';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { encodeAgain } from '../../dataplane/table/command.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import type { WalRecord } from '../../dataplane/wal/record.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/**
 * Data directories that could not be opened any more: release 0.1.0 took into its log what is no
 * document, and ended when it applied that to an index, at each start again. The same is written here
 * past every check, straight into the log.
 */
const connect = (served: Served): Promise<Connection> =>
  r.connect({ host: served.host, port: served.driverPort, user: 'admin', password: '' });

/** What 0.1.0 made of `insert(doc, {conflict: () => r.table('sick').get('1')})`. */
const selection = '{"key":{"0":64},"primaryKey":1,"table":{"access":{"count":undefined}}}';
/** The numbers of the shard of the first table. */
const sick = { keyspace: 1, group: 2 } as const;

/** Entries behind the last one of each group. */
async function append(path: string, entries: readonly Omit<WalRecord, 'term' | 'index'>[]) {
  const log = await openWal({
    disk: new RealDisk(),
    directory: join(path, 'wal'),
    clock: machineClock,
    random: Math.random,
    replayFrom: () => Number.MAX_SAFE_INTEGER,
    onRecord: () => undefined,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  const next = new Map<number, number>();
  const records = entries.map((entry) => {
    const last = next.get(entry.group) ?? log.recovery.lastIndex(entry.group)?.index ?? 0;
    next.set(entry.group, last + 1);
    return { ...entry, term: 1, index: last + 1 };
  });
  await log.append(records);
  await log.close();
}

const bodyOf = (id: string, text: string, expectedVersion = 0): Uint8Array =>
  encodeAgain({
    keyspace: sick.keyspace,
    version: 1_000,
    operations: [{ key: encodeKey(id), expectedVersion, body: encodeUtf8(text) }],
  });

async function failureOf(query: Promise<unknown>): Promise<string> {
  try {
    await query;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  throw new Error('it was answered');
}

interface StatusTerms {
  config(): { run(connection: Connection): Promise<unknown> };
  indexStatus(name: string): { run(connection: Connection): Promise<unknown> };
}

/** What the types of the driver lack. */
const statusTerms = (table: unknown): StatusTerms => table as StatusTerms;

interface Health {
  readonly state: string;
  readonly data: { readonly issues: readonly { readonly type: string }[] };
}

const healthOf = async (served: Served): Promise<Health> =>
  (await (await fetch(`http://${served.httpUrl}/health`)).json()) as Health;

async function rowsOf(connection: Connection, table: string): Promise<unknown[]> {
  const cursor = await r.table(table).orderBy('id').run(connection);
  return cursor as unknown as unknown[];
}

describe('a data directory that a release before this one could not open any more', function node() {
  this.timeout(60_000);
  let directory: string;
  let served: Served;
  let connection: Connection;

  const start = async (): Promise<void> => {
    served = await serve(directory);
    connection = await connect(served);
  };
  const stop = async (): Promise<void> => {
    await connection.close();
    expect(await end(served)).to.equal(0);
  };

  beforeEach(async () => {
    directory = temporaryDirectory();
    await start();
    for (const name of ['sick', 'well']) {
      await r.db('test').tableCreate(name).run(connection);
      await r.table(name).insert({ id: '1', v: 'one' }).run(connection);
    }
    await r.table('sick').indexCreate('v').run(connection);
    await r.table('sick').indexWait('v').run(connection);
    await stop();
  });

  afterEach(() => removeDirectory(directory));

  it('opens with text that is no document, refuses that alone, and lets a driver replace it', async () => {
    await append(directory, [
      { group: sick.group, kind: 1, payload: bodyOf('2', selection) },
      {
        group: sick.group,
        kind: 1,
        payload: bodyOf('3', '{"id":"3","v":{"$reql_type$":"BINARY","data":"!"}}'),
      },
    ]);
    for (let starts = 0; starts < 2; starts += 1) {
      await start();
      expect(await rowsOf(connection, 'well')).to.deep.equal([{ id: '1', v: 'one' }]);
      expect(await r.table('sick').get('1').run(connection)).to.deep.equal({ id: '1', v: 'one' });
      for (const id of ['2', '3']) {
        const failure = await failureOf(r.table('sick').get(id).run(connection));
        expect(failure).to.contain('ReqlOpFailedError: A stored value of table `test.sick`');
        expect(failure).to.contain(`by its primary key "${id}"`);
        const update = await r.table('sick').get(id).update({ w: 1 }).run(connection);
        expect(update).to.include({ errors: 1 });
      }
      expect(
        await failureOf(
          r
            .table('sick')
            .run(connection)
            .then((c) => c.toArray()),
        ),
      ).to.contain('`test.sick`');
      const found = r.table('sick').getAll('one', { index: 'v' });
      expect(await (await found.run(connection)).toArray()).to.have.length(1);
      const health = await healthOf(served);
      expect(health.state).to.equal('Degraded');
      expect(health.data.issues.map(({ type }) => type)).to.deep.equal(['documents_damaged']);
      const issues = await (
        await r.db('rethinkdb').table('current_issues').run(connection)
      ).toArray();
      expect(issues).to.have.length(1);
      await stop();
    }
    await start();
    const replaced = await r
      .table('sick')
      .insert({ id: '2', v: 'two' }, { conflict: 'replace' })
      .run(connection);
    expect(replaced).to.include({ replaced: 1, errors: 0 });
    const deleted = await r.table('sick').get('3').delete().run(connection);
    expect(deleted).to.include({ deleted: 1, errors: 0 });
    expect((deleted as unknown as { warnings: string[] }).warnings.join()).to.contain('test.sick');
    expect(await rowsOf(connection, 'sick')).to.deep.equal([
      { id: '1', v: 'one' },
      { id: '2', v: 'two' },
    ]);
    expect(await r.table('sick').count().run(connection)).to.equal(2);
    // It is so when the store has it.
    while ((await healthOf(served)).state !== 'Ready') await nextTurn();
    await stop();
  });

  it('opens with an entry that cannot be applied, and serves every other table', async () => {
    await append(directory, [
      { group: sick.group, kind: 1, payload: encodeUtf8('no command') },
      { group: sick.group, kind: 1, payload: bodyOf('4', '{"id":"4"}') },
    ]);
    for (let starts = 0; starts < 2; starts += 1) {
      await start();
      expect(await rowsOf(connection, 'well')).to.deep.equal([{ id: '1', v: 'one' }]);
      expect(await failureOf(r.table('sick').get('1').run(connection))).to.contain(
        'Table `test.sick` is damaged',
      );
      expect((await healthOf(served)).data.issues.map(({ type }) => type)).to.deep.equal([
        'table_availability',
      ]);
      await stop();
    }
  });

  it('opens with an index that this release cannot compile, and serves its table', async () => {
    await start();
    const { id } = (await statusTerms(r.table('sick')).config().run(connection)) as { id: string };
    await stop();
    const index = {
      name: 'later',
      multi: false,
      geo: false,
      definition: '[69,[[2,[1]],[9999,[]]]]',
    };
    const command = { type: 'createIndex', tableId: id, index };
    await append(directory, [
      { group: 0, kind: 1, payload: encodeUtf8(JSON.stringify(command)) },
      { group: sick.group, kind: 1, payload: bodyOf('5', '{"id":"5"}') },
    ]);
    for (let starts = 0; starts < 2; starts += 1) {
      await start();
      expect(await r.table('sick').get('5').run(connection)).to.deep.equal({ id: '5' });
      await r
        .table('sick')
        .insert({ id: `new ${starts}` })
        .run(connection);
      const status = statusTerms(r.table('sick')).indexStatus('later').run(connection);
      const [state] = (await status) as { ready: boolean; error: string }[];
      expect(state).to.include({ ready: false }).and.have.property('error').that.contains('9999');
      for (const query of [
        r.table('sick').indexWait('later').run(connection),
        r.table('sick').getAll('x', { index: 'later' }).run(connection),
      ]) {
        expect(await failureOf(query)).to.contain('Index `later` on table `test.sick` has failed');
      }
      expect((await healthOf(served)).data.issues.map(({ type }) => type)).to.deep.equal([
        'index_failed',
      ]);
      await stop();
    }
    await start();
    await r.table('sick').indexDrop('later').run(connection);
    await r.table('sick').indexWait().run(connection);
    expect((await healthOf(served)).state).to.equal('Ready');
    await stop();
  });

  it('opens with metadata that cannot be applied, and serves what there was before', async () => {
    const payload = encodeUtf8('{"type":"fromTheFuture"}');
    await append(directory, [{ group: 0, kind: 1, payload }]);
    for (let starts = 0; starts < 2; starts += 1) {
      await start();
      for (const table of ['well', 'sick']) {
        await r
          .table(table)
          .insert({ id: `new ${starts}` })
          .run(connection);
      }
      expect(await failureOf(r.db('test').tableCreate('more').run(connection))).to.contain(
        'its type "fromTheFuture" is unknown to this release',
      );
      expect((await healthOf(served)).data.issues.map(({ type }) => type)).to.deep.equal([
        'metadata_frozen',
      ]);
      await stop();
    }
  });
});
