import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { nodeMetrics, tablesMax } from './node-registry.ts';
import type { NodeMetrics } from './metrics.ts';

const drivers = {
  workers: 2,
  workersReplaced: 1,
  directReads: 31,
  forwardedReads: 32,
  connections: 2,
  running: 1,
  openCursors: 3,
  queuedBytes: 4,
  queries: 5,
  queriesAborted: 6,
  queriesFailed: 30,
  framesMalformed: 7,
  handshakesMalformed: 8,
  handshakesTimedOut: 9,
  loginsFailed: 10,
  loginsLocked: 11,
  connectionsAccepted: 12,
  connectionsRefused: 13,
  connectionsStalled: 14,
};
const table = { name: 'test.t', appliedIndex: 1, documents: 2, bytes: 3, reads: 4, writes: 5 };
const node: NodeMetrics = {
  version: '1.2.3',
  isReady: true,
  tablesDamaged: 3,
  indexesFailed: 21,
  indexEvaluationsFailed: 22,
  documentsDamaged: 23,
  isIntact: false,
  replayedBytes: 1,
  replayTotalBytes: 2,
  memtableBytes: 3,
  replicas: { compared: 41, differed: 42, rebuilt: 43, undecided: 44 },
  scrub: {
    passes: 1,
    rows: 2,
    bytes: 3,
    damagedTables: 4,
    damagedIndexes: 5,
    damagedDocuments: 6,
  },
  cache: { bytes: 4, hits: 5, misses: 6 },
  applyQueue: 4,
  store: { fileBytes: 5, usedBytes: 4, freeBytes: 1, fileBytesMax: 9, oldestReaderMs: 1_500 },
  diskFreeBytes: 6,
  expired: 7,
  expiryLagMs: 8_500,
  tables: [table],
  drivers,
};

const lines = async (from: NodeMetrics): Promise<string[]> =>
  (await nodeMetrics(() => from).metrics()).split('\n');

describe('the metrics of a node', () => {
  it('keep to the names of Prometheus, with a sentence of help each', async () => {
    const text = await lines(node);
    const types = text.filter((line) => line.startsWith('# TYPE photondb_'));
    expect(types.length).to.be.greaterThan(25);
    for (const line of types) {
      const [, , name = '', type = ''] = line.split(' ');
      expect(name).to.match(/^photondb_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total'), name).to.equal(type === 'counter');
      expect(name, 'base units only').not.to.match(/_(ms|milliseconds|kib|mib|mb|percent)$/);
      expect(text.some((one) => one.startsWith(`# HELP ${name} `) && one.endsWith('.'))).to.equal(
        true,
      );
    }
  });

  it('say what the node says', async () => {
    const text = await lines(node);
    for (const line of [
      'photondb_build_info{version="1.2.3"} 1',
      'photondb_ready 1',
      'photondb_integrity_ok 0',
      'photondb_tables_damaged 3',
      'photondb_indexes_failed 21',
      'photondb_index_evaluations_failed_total 22',
      'photondb_documents_damaged 23',
      'photondb_store_bytes 5',
      'photondb_replica_comparisons_total 41',
      'photondb_replicas_differed_total 42',
      'photondb_replicas_rebuilt_total 43',
      'photondb_replicas_undecided 44',
      'photondb_documents_expired_total 7',
      'photondb_expiry_lag_seconds 8.5',
      'photondb_queries_aborted_total 6',
      'photondb_queries_failed_total 30',
      'photondb_logins_locked_total 11',
      'photondb_connections_stalled_total 14',
      'photondb_table_documents{table="test.t"} 2',
      'photondb_table_writes_total{table="test.t"} 5',
    ]) {
      expect(text).to.include(line);
    }
  });

  it('are read again at each scrape, and forget dropped tables', async () => {
    let now = node;
    const registry = nodeMetrics(() => now);
    await registry.metrics();
    now = { ...node, tables: [], drivers: { ...drivers, queries: 50 } };
    const text = await registry.metrics();
    expect(text).to.contain('photondb_queries_total 50\n');
    expect(text).to.contain('photondb_tables 0\n');
    expect(text).not.to.contain('test.t');
  });

  it('have a bounded number of series', async () => {
    const tables = Array.from({ length: tablesMax + 5 }, (_, at) => ({
      ...table,
      name: `d.t${at}`,
    }));
    const text = await lines({ ...node, tables });
    const series = text.filter((line) => line.startsWith('photondb_table_bytes{'));
    expect(series.length).to.equal(tablesMax);
    expect(text).to.include(`photondb_tables ${tablesMax + 5}`);
  });

  it('stand in the operations manual, all of them', async () => {
    const manual = readFileSync('docs/operations/monitoring.md', 'utf8');
    const names = (await lines(node))
      .filter((line) => line.startsWith('# TYPE photondb_'))
      .map((line) => line.split(' ')[2] ?? '');
    for (const name of names) expect(manual).to.contain(`\`${name}\``);
  });
});
