import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import driver from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { checkRegister } from '../simulation/linearizability.ts';
import type { Operation } from '../simulation/linearizability.ts';

/** Terms as the driver has them; its types know few of them. */
interface Query {
  (...args: readonly unknown[]): Query;
  readonly [term: string]: Query;
}

interface Row {
  readonly id: string;
  readonly v: string;
}

const r = driver as unknown as Query;
const term = (start: Query, name: string, ...args: readonly unknown[]): Query =>
  (start[name] as Query)(...args);

async function run<T>(query: Query, on: Connection): Promise<T> {
  const runnable = query as unknown as { run(connection: Connection): Promise<T> };
  const answer = await runnable.run(on);
  const cursor = answer as { toArray?: () => Promise<T> };
  return typeof cursor?.toArray === 'function' ? cursor.toArray() : answer;
}

/** Resolves when the condition holds; the test's own time-out is the bound. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

const registers = ['a', 'b', 'c', 'd', 'e', 'f'];
const writesOfEach = 12;
/** Longer than writes are gathered: the store has all of them now and then. */
const pauseMsMax = 500;

describe('reads of query workers from the storage', function () {
  this.timeout(240_000);
  let directory: string;
  let node: Served;
  const connections: Connection[] = [];

  async function open(): Promise<Connection> {
    const connection = await driver.connect({ host: node.host, port: node.driverPort });
    connections.push(connection);
    return connection;
  }

  const opened = (count: number): Promise<Connection[]> =>
    Promise.all(Array.from({ length: count }, () => open()));

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${node.httpUrl}/_metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  const direct = (): Promise<number> => metric('photondb_direct_reads_total');
  const forwarded = (): Promise<number> => metric('photondb_forwarded_reads_total');

  beforeEach(async () => {
    directory = temporaryDirectory();
    node = await serve(directory, ['--query-workers', '2']);
  });

  afterEach(async () => {
    for (const connection of connections.splice(0))
      await connection.close({ noreplyWait: false }).catch(() => undefined);
    await end(node, 'SIGKILL');
    removeDirectory(directory);
  });

  for (const [durability, shards] of [
    ['hard', 1],
    ['soft', 1],
    ['hard', 3],
  ] as const) {
    it(`are linearizable beside ${durability} writes of ${shards} shard(s)`, async () => {
      const first = await open();
      await run(term(r, 'tableCreate', 't', { durability, shards }), first);
      const table = term(r, 'table', 't');
      await run(
        term(table, 'indexCreate', 'all', () => 1),
        first,
      );
      await run(term(table, 'indexWait'), first);
      const histories = new Map<string, Operation[]>(registers.map((id) => [id, []]));
      const over = new AbortController();
      let writing = registers.length;
      const noted = async (
        calls: (readonly [id: string, kind: Operation['kind'], value?: string])[],
        work: () => Promise<readonly Row[]>,
      ): Promise<void> => {
        const calledAt = performance.now();
        const rows = await work();
        const returnedAt = performance.now();
        for (const [id, kind, written] of calls) {
          const value = kind === 'write' ? written : rows.find((row) => row.id === id)?.v;
          histories.get(id)?.push({ kind, value, calledAt, returnedAt });
        }
      };
      const writer = async (id: string, on: Connection, seed: number): Promise<void> => {
        for (let at = 0; at < writesOfEach; at += 1) {
          const v = `${id}${at}`;
          await noted([[id, 'write', v]], async () => {
            await run(term(table, 'insert', { id, v }, { conflict: 'replace' }), on);
            return [];
          });
          await sleep(((at + seed) % 4) * (pauseMsMax / 4));
        }
        writing -= 1;
        if (writing === 0) over.abort();
      };
      const all = registers.map((id) => [id, 'read'] as const);
      const readers: ((on: Connection, id: string) => Promise<void>)[] = [
        (on, id) =>
          noted([[id, 'read']], async () => {
            const row = await run<Row | null>(term(table, 'get', id), on);
            return row === null ? [] : [row];
          }),
        (on) => noted([...all], () => run<Row[]>(table, on)),
        (on) => noted([...all], () => run<Row[]>(term(table, 'getAll', 1, { index: 'all' }), on)),
      ];
      const read = async (on: Connection, nth: number): Promise<void> => {
        const look = readers[nth % 4 === 3 ? 1 + ((nth >> 2) % 2) : 0] ?? readers[0];
        for (let at = nth; !over.signal.aborted; at += 1) {
          await look?.(on, registers[at % registers.length] ?? 'a');
          await sleep(at % 3);
        }
      };
      const [writers, watchers] = await Promise.all([opened(registers.length), opened(8)]);
      await Promise.all([
        ...registers.map((id, at) => writer(id, writers[at] as Connection, at)),
        ...watchers.map(read),
      ]);
      for (const [id, history] of histories) {
        const { isLinearizable, unexplained } = checkRegister(history);
        expect(isLinearizable, `${id}: ${JSON.stringify(unexplained.slice(0, 5))}`).to.equal(true);
      }
      // Both ways were taken, and still are.
      await until(async () => {
        await run(term(table, 'insert', { id: 'g', v: 'g' }, { conflict: 'replace' }), first);
        await run(term(table, 'get', 'g'), first);
        return (await forwarded()) > 0;
      });
      await until(async () => {
        await run(term(table, 'get', 'never written'), first);
        return (await direct()) > 0;
      });
    });
  }

  it('are asked of the core once two workers have crashed in a row', async () => {
    const first = await open();
    const table = term(r, 'table', 't');
    await run(term(r, 'tableCreate', 't'), first);
    await run(term(table, 'insert', { id: 'a', v: 'b' }), first);
    const get = term(table, 'get', 'a');
    await until(async () => {
      await run(get, first);
      return (await direct()) > 0;
    });
    for (let crash = 1; crash <= 2; crash += 1) {
      const [victim = 0] = childrenOf(node.process.pid);
      process.kill(victim, 'SIGSEGV');
      await until(async () =>
        Promise.resolve((node.log().match(/a query worker was replaced/g) ?? []).length === crash),
      );
    }
    expect(node.log()).to.contain('do not read the storage themselves any more');
    const before = await direct();
    const others = await opened(4);
    for (const other of others) expect(await run(get, other)).to.deep.equal({ id: 'a', v: 'b' });
    expect(await direct()).to.equal(before);
  });

  it('end with the table, and see another one of its name', async () => {
    const [one, other] = (await opened(2)) as [Connection, Connection];
    const table = term(r, 'table', 't');
    for (let round = 0; round < 4; round += 1) {
      await run(term(r, 'tableCreate', 't'), one);
      await run(term(table, 'insert', { id: 'a', v: `${round}` }), one);
      await until(async () => {
        const before = await direct();
        const row = await run<Row>(term(table, 'get', 'a'), other);
        expect(row.v).to.equal(`${round}`);
        await sleep(300);
        return (await direct()) > before;
      });
      await run(term(r, 'tableDrop', 't'), one);
      const failed = await run(term(table, 'get', 'a'), other).catch((error: Error) => error);
      expect((failed as Error).message).to.contain('does not exist');
    }
  });
});

/** The processes that a process has started. */
function childrenOf(pid: number | undefined): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
