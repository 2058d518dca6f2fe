import { crc32, encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import { replicasOf } from '../../../dataplane/metadata/members.ts';
import { shardsOf } from '../../../dataplane/metadata/shards.ts';
import { newTable } from '../../../dataplane/metadata/testing/new-table.ts';
import { checkLists } from '../checkers/append-lists.ts';
import { Nemesis } from '../nemesis.ts';
import type { Fault } from '../nemesis.ts';
import { SafetyViolation } from '../violation.ts';
import { faults, pace, table } from './faults.ts';
import { RoutedClient, valuesIn } from './routed-client.ts';
import { agreed, change, makeDatabases, restore } from './scenario.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

/**
 * Four databases, each with the real router and the real loop that tends replicas. Clients write by any of them, while
 * replicas are moved from node to node, members leave and return, and processes die, stand still or are cut off.
 */
export interface RoutingResult {
  readonly operations: number;
  readonly acknowledged: number;
  readonly reads: number;
  /** Answers that an operation was not carried out, and that this is unknown. */
  readonly unavailable: number;
  readonly unknown: number;
  /** Requests between nodes, of which the one that asked does not know what became. */
  readonly lost: number;
  /** Changes of where the replicas are to be. */
  readonly moves: number;
  readonly simulatedMs: number;
  /** The same for the same seed. */
  readonly digest: number;
}

const ids = ['a', 'b', 'c', 'd'];
const lists = ['x', 'y', 'z'];
const faultsMs = 8_000;
const calmMs = 30_000;
/** Of a router: 10 s of attempts, and as many of repetitions. */
const answersMs = 21_000;

/** Where the only shard is to be, as a node knows it. */
function wantedBy(cluster: SimulatedCluster, node: string): readonly string[] {
  const { state } = cluster.nodes.get(node)?.database ?? {};
  const record = state?.tables[table];
  const [shard] = record === undefined ? [] : shardsOf(record);
  return state === undefined || shard === undefined ? [] : (replicasOf(state, shard)?.wanted ?? []);
}

/** `a` founds the cluster; the nodes themselves do the rest. */
async function formed(cluster: SimulatedCluster): Promise<void> {
  const isWhole = (): boolean =>
    [...cluster.nodes.values()].every(
      ({ database }) => Object.keys(database?.state.members ?? {}).length === ids.length,
    ) && (cluster.leader()?.database?.metadataReplicas?.configuration.voters.length ?? 0) > 2;
  await cluster.until(isWhole, calmMs, 'all are members, and three have the metadata');
  await change(cluster, { type: 'createDatabase', id: 'd', name: 'd' });
  const created = { ...newTable(table), replicas: 3 };
  const replicas = [ids.slice(0, 3)];
  await change(cluster, { type: 'createTable', format: 3, table: created, replicas });
  await cluster.until(() => cluster.leader(table) !== undefined, calmMs, 'the table has a leader');
}

/** One, two or three nodes are to have the shard from now on. */
function move(cluster: SimulatedCluster): void {
  const { random } = cluster;
  const leader = cluster.leader();
  const record = leader?.database?.state.tables[table];
  const [shard] = record === undefined ? [] : shardsOf(record);
  if (leader === undefined || shard === undefined) return;
  const wanted = ids
    .map((id) => ({ id, at: random.next() }))
    .sort((one, other) => one.at - other.at)
    .slice(0, random.pick([1, 2, 3, 3, 3]))
    .map(({ id }) => id);
  const { group } = shard;
  leader.life.run(() => {
    const command = { type: 'placeShard', format: 3, tableId: table, group, wanted } as const;
    leader.database?.change(command).then(
      () => void (cluster.counters.moves += 1),
      () => undefined,
    );
  });
}

const moves: readonly Fault<SimulatedCluster>[] = [
  { name: 'move', weight: 8, begin: move },
  {
    name: 'draining',
    weight: 2,
    begin({ draining, random, time }) {
      const node = random.pick(ids);
      draining.add(node);
      time.after(200 + random.below(2_000), () => draining.delete(node));
    },
  },
];

export async function runRouting(
  seed: number,
  trace: (line: string) => void = () => undefined,
): Promise<RoutingResult> {
  const cluster = new SimulatedCluster(seed, ids, { hasRouters: true });
  await formed(cluster);
  const { random, time } = cluster;
  const faultsEndMs = time.now + faultsMs;
  const habits = {
    table,
    lists: lists.slice(0, 1 + random.below(lists.length)),
    pauseMs: random.pick([12, 40, 90]),
    untilMs: faultsEndMs + 500,
  };
  const clients = [0, 1, 2, 3].map(
    (at) => new RoutedClient(cluster, { ...habits, name: `c${at}-` }),
  );
  for (const client of clients) client.next();
  makeDatabases(cluster, faultsEndMs);
  const begin = (nemesis: Nemesis<SimulatedCluster>): void => {
    if (time.now > faultsEndMs) return;
    const { name, nextInMs } = nemesis.begin();
    trace(`${time.now.toFixed(3)} ${name} ${cluster.counters.events}`);
    time.after(nextInMs, () => begin(nemesis));
  };
  const names = moves.map(({ name }) => name);
  const nemeses = [
    new Nemesis(cluster, faults, pace),
    new Nemesis(cluster, moves, { ...pace, names }),
  ];
  for (const nemesis of nemeses) time.after(100, () => begin(nemesis));
  await cluster.runUntil(faultsEndMs + 2_600);
  restore(cluster);
  const isAnswered = (): boolean => clients.every(({ unanswered }) => unanswered.length === 0);
  const owed = clients.flatMap(({ unanswered }) => unanswered).join(', ');
  await cluster.until(isAnswered, answersMs, `nodes that run answer: ${owed}`);
  const isPlaced = (): boolean => {
    const configuration = cluster.leader(table)?.shard(table)?.replicas.configuration;
    const wanted = wantedBy(cluster, 'a');
    return (
      configuration !== undefined &&
      configuration.outgoing.length === 0 &&
      configuration.learners.length === 0 &&
      configuration.voters.toSorted().join() === wanted.toSorted().join()
    );
  };
  await cluster.until(isPlaced, calmMs, 'the shard is where it is to be');
  await agreed(cluster, () => wantedBy(cluster, 'a'));
  const leader = cluster.leader(table);
  if (leader === undefined) throw new SafetyViolation('the table has no leader at the end');
  const final = new Map(
    habits.lists.map((list) => [
      list,
      valuesIn(leader.shard(table)?.getOutdated(encodeUtf8(list))),
    ]),
  );
  const history = clients.flatMap((client) => client.history);
  checkLists(history, final);
  const isDone = ({ returnedAt }: { returnedAt: number }): boolean => Number.isFinite(returnedAt);
  return {
    operations: history.length,
    acknowledged: history.filter((each) => each.kind === 'append' && isDone(each)).length,
    reads: history.filter(({ kind }) => kind === 'read').length,
    unavailable: clients.reduce((sum, { counts }) => sum + counts.unavailable, 0),
    unknown: clients.reduce((sum, { counts }) => sum + counts.unknown, 0),
    lost: cluster.counters.lost,
    moves: cluster.counters.moves,
    simulatedMs: Math.round(time.now),
    digest: crc32(encodeUtf8([...final.values()].flat().join(' '))),
  };
}
