import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { eventually } from '../../operator/cluster/testing/api-types.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/** What a node says of its work, wherever its queries run. */
interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Part {
  readonly state: string;
  readonly reasons: readonly string[];
}

interface Health {
  readonly state: string;
  readonly queries: {
    readonly perSecond: number;
    readonly latencyMs: { readonly all: Latency; readonly kinds: Record<string, Latency> };
  };
  readonly storage: {
    readonly disk: Part & { readonly freeBytes: number; readonly totalBytes: number };
    readonly wal: Part & { readonly syncMs?: Latency };
    readonly store: Part & { readonly commitMs?: Latency };
  };
  readonly resources: Part & {
    readonly cpuCores: number;
    readonly workingSetBytes: number;
    readonly eventLoopDelayMs: { readonly p99: number };
  };
}

const documents = 20;

describe('the health and metrics of a node that works', function () {
  this.timeout(60_000);

  for (const workers of [0, 2]) {
    describe(`with ${workers} query workers`, () => {
      let directory: string;
      let node: Served;
      let connection: Connection;

      before(async () => {
        directory = temporaryDirectory();
        node = await serve(directory, ['--query-workers', String(workers)]);
        connection = await r.connect({ host: node.host, port: node.driverPort, user: 'admin' });
        await r.db('test').tableCreate('t').run(connection);
        const rows = Array.from({ length: documents }, (_, id) => ({ id }));
        await r.table('t').insert(rows).run(connection);
        for (let id = 0; id < documents; id += 1)
          await r
            .table('t')
            .get(id as never)
            .run(connection);
        await (await r.table('t').run(connection)).toArray();
        await r.expr(1).run(connection);
      });
      after(async () => {
        await connection?.close();
        if (node !== undefined) await end(node);
        removeDirectory(directory);
      });

      const health = async (): Promise<Health> =>
        (await (await fetch(`http://${node.httpUrl}/health`)).json()) as Health;
      const metrics = async (): Promise<string> =>
        (await fetch(`http://${node.httpUrl}/_metrics`)).text();

      it('counts queries, scans and writes in histograms', async () => {
        const line = (text: string, name: string): number =>
          Number(
            text
              .split('\n')
              .find((each) => each.startsWith(`${name} `))
              ?.split(' ')[1],
          );
        await eventually('the point reads to be counted', async () => {
          const name = 'photondb_query_duration_seconds_count{kind="point"}';
          return line(await metrics(), name) === documents;
        });
        const text = await metrics();
        const last = 'photondb_query_duration_seconds_bucket{le="+Inf",kind="point"}';
        expect(line(text, last)).to.equal(documents);
        expect(line(text, 'photondb_scan_rows_sum')).to.be.at.least(documents);
        expect(line(text, 'photondb_scan_rows_count')).to.be.at.least(1);
        expect(line(text, 'photondb_scan_bytes_sum')).to.be.greaterThan(documents);
        expect(line(text, 'photondb_wal_sync_bytes_sum')).to.be.greaterThan(0);
        expect(line(text, 'photondb_wal_sync_duration_seconds_count')).to.be.greaterThan(0);
        expect(line(text, 'photondb_store_commit_duration_seconds_count')).to.be.greaterThan(0);
      });

      it('shows disk, log, store and resources, each with its state', async () => {
        await eventually('a synced write and a commit', async () => {
          await r
            .table('t')
            .insert({ id: 2, at: Date.now() }, { conflict: 'replace' })
            .run(connection);
          const { wal, store } = (await health()).storage;
          return wal.syncMs !== undefined && store.commitMs !== undefined;
        });
        const { storage, resources } = await health();
        for (const part of [storage.disk, storage.wal, storage.store]) {
          expect(part).to.deep.include({ state: 'ok', reasons: [] });
        }
        expect(storage.disk.freeBytes).to.be.within(1, storage.disk.totalBytes);
        expect(storage.wal.syncMs?.count).to.be.greaterThan(0);
        expect(resources.workingSetBytes).to.be.greaterThan(0);
        expect(resources.cpuCores).to.be.at.least(0);
        // The machine of the test may be short of something.
        expect(resources.state === 'ok').to.equal(resources.reasons.length === 0);
        expect(resources.eventLoopDelayMs.p99).to.be.at.least(0);
      });

      it('shows how long queries take, by kind', async () => {
        const names = ['point', 'read', 'write', 'admin', 'expression'];
        const table = r.table('t');
        // The latencies are those of the last minute: a busy machine may need more than one round.
        await eventually('latencies of all kinds', async () => {
          await table.get(1 as never).run(connection);
          await (await table.run(connection)).toArray();
          await table.insert({ id: 1 }, { conflict: 'update' }).run(connection);
          await r.db('test').tableList().run(connection);
          await r.expr(1).run(connection);
          const { queries } = await health();
          return names.every((name) => queries.latencyMs.kinds[name] !== undefined);
        });
        const { queries } = await health();
        const { all, kinds } = queries.latencyMs;
        for (const { count, p50, p99, max } of [all, ...Object.values(kinds)]) {
          expect(count).to.be.greaterThan(0);
          expect(p50).to.be.within(0, p99);
          expect(p99).to.be.at.most(max);
        }
        expect(queries.perSecond).to.be.greaterThan(0);
      });
    });
  }
});
