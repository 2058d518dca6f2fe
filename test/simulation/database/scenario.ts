import { crc32, encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import type { MetadataCommand } from '../../../dataplane/metadata/command.ts';
import { newTable } from '../../../dataplane/metadata/testing/new-table.ts';
import { readStatistics } from '../../../dataplane/table/statistics.ts';
import type { Datum } from '../../../dataplane/datum/datum.ts';
import { checkLists } from '../checkers/append-lists.ts';
import { calmNetwork } from '../cluster/simulated-cluster.ts';
import { calmDisk } from '../cluster/simulated-node.ts';
import { Nemesis } from '../nemesis.ts';
import { SafetyViolation } from '../violation.ts';
import { Client, valuesOf } from './client.ts';
import { faults, pace, table } from './faults.ts';
import { putStillRows, requireWhole } from './flipped-row.ts';
import type { FlippedRow } from './flipped-row.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

/**
 * Three databases with real logs, Raft groups, memtables, appliers and snapshots, under load and faults; then the
 * faults end, and all replicas must have the same, with everything that was acknowledged.
 */
export interface DatabaseResult {
  readonly operations: number;
  readonly acknowledged: number;
  readonly reads: number;
  /** Attempts of writes whose outcome was unknown. */
  readonly repeated: number;
  readonly changes: number;
  /** Parts of states that were sent to replicas behind the log. */
  readonly parts: number;
  readonly simulatedMs: number;
  /** The same for the same seed. */
  readonly digest: number;
}

const ids = ['a', 'b', 'c'];
const lists = ['x', 'y', 'z'];
const faultsMs = 6_000;
const calmMs = 10_000;

type Trace = (line: string) => void;

export async function change(cluster: SimulatedCluster, command: MetadataCommand): Promise<void> {
  await cluster.until(() => cluster.leader() !== undefined, calmMs, 'the metadata has a leader');
  const leader = cluster.leader();
  let isOver = false;
  leader?.life.run(() => void leader.database?.change(command).then(() => (isOver = true)));
  await cluster.until(() => isOver, calmMs, `${command.type} is committed`);
}

/** `a` founds the cluster, and the others join it. */
async function formed(cluster: SimulatedCluster): Promise<void> {
  const member = (id: string): MetadataCommand => ({
    type: 'putMember',
    format: 3,
    member: { id, name: id, roles: ['data'] },
  });
  await change(cluster, member('a'));
  const metadata = cluster.nodes.get('a')?.database?.metadataReplicas;
  if (metadata === undefined) throw new SafetyViolation('the founder has no metadata');
  metadata.changeMembers({ voters: ['a'], learners: ['b', 'c'] });
  const isLearned = (): boolean =>
    ['b', 'c'].every((id) => (metadata.matches.get(id) ?? 0) >= (metadata.matches.get('a') ?? 1));
  await cluster.until(isLearned, calmMs, 'the learners have the metadata');
  metadata.changeMembers({ voters: ids, learners: [] });
  const isWhole = (): boolean =>
    metadata.configuration.voters.length === 3 && metadata.configuration.outgoing.length === 0;
  await cluster.until(isWhole, calmMs, 'all vote');
  for (const id of ['b', 'c']) await change(cluster, member(id));
  await change(cluster, { type: 'createDatabase', id: 'd', name: 'd' });
  const created = { ...newTable(table), replicas: 3 };
  await change(cluster, {
    type: 'createTable',
    format: 3,
    table: created,
    replicas: [ids],
  });
  await cluster.until(() => cluster.leader(table) !== undefined, calmMs, 'the table has a leader');
}

/** Databases that somebody makes beside the load; those that were acknowledged. */
export function makeDatabases(cluster: SimulatedCluster, untilMs: number): Set<string> {
  const made = new Set<string>();
  let count = 0;
  const next = (): void => {
    const { time, random } = cluster;
    if (time.now > untilMs) return;
    const name = `made${(count += 1)}`;
    const leader = cluster.leader();
    leader?.life.run(() => {
      const changed = leader.database?.change({
        type: 'createDatabase',
        id: name,
        name,
      });
      changed?.then(
        (state) => 'type' in state || made.add(name),
        () => undefined,
      );
    });
    time.after(50 + random.below(400), next);
  };
  next();
  return made;
}

export function restore({ network, nodes }: SimulatedCluster): void {
  network.heal();
  network.faults = calmNetwork;
  for (const node of nodes.values()) {
    node.syncMs = calmDisk;
    node.start();
    node.life.resume();
  }
}

/** What a replica has of a table, when the store has everything. */
function contentOf(cluster: SimulatedCluster, id: string): string {
  const shard = cluster.nodes.get(id)?.shard(table);
  if (shard === undefined) return `${id} has no replica`;
  const { store, keyspace } = shard.options;
  const { count, bytes, hash } = store.read((view) => readStatistics(view, keyspace));
  const waits = shard.memtable.size;
  return `${count} rows of ${bytes} bytes, ${hash}, ${shard.count} counted, ${waits} wait`;
}

/** Whatever the order in which its fields came to be. */
const sorted = (_name: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
    : value;

const stateOf = (cluster: SimulatedCluster, id: string): string =>
  JSON.stringify(cluster.nodes.get(id)?.database?.state, sorted);

/** `replicas`: nodes that have the table. */
export async function agreed(
  cluster: SimulatedCluster,
  replicas: () => readonly string[] = () => ids,
): Promise<void> {
  const all = [...cluster.nodes.keys()];
  const isSame = (): boolean => {
    const contents = new Set(replicas().map((id) => contentOf(cluster, id)));
    return (
      cluster.leader(table) !== undefined &&
      contents.size === 1 &&
      [...contents].every((content) => content.endsWith(' 0 wait')) &&
      new Set(all.map((id) => stateOf(cluster, id))).size === 1
    );
  };
  try {
    await cluster.until(isSame, calmMs, 'all replicas have the same');
  } catch (error) {
    const found = all
      .map((id) => `${id}: ${contentOf(cluster, id)}\n${stateOf(cluster, id)}`)
      .join('\n');
    throw new SafetyViolation(`${(error as Error).message}\n${found}`);
  }
}

/** `flips`: a medium that changes rows of one replica. */
export async function runDatabase(
  seed: number,
  trace: Trace = () => undefined,
  flips?: FlippedRow,
): Promise<DatabaseResult> {
  const cluster = new SimulatedCluster(seed, ids);
  await formed(cluster);
  if (flips !== undefined) await putStillRows(cluster);
  const { random, time } = cluster;
  const faultsEndMs = time.now + faultsMs;
  const habits = {
    table,
    lists: lists.slice(0, 1 + random.below(lists.length)),
    pauseMs: random.pick([12, 40, 90]),
    padding: '.'.repeat(random.pick([0, 200, 1_000])),
    untilMs: faultsEndMs + 500,
  };
  const clients = [0, 1, 2].map((at) => new Client(cluster, { ...habits, name: `c${at}-` }));
  for (const client of clients) client.next();
  const made = makeDatabases(cluster, faultsEndMs);
  const all = flips === undefined ? faults : [...faults, flips];
  const nemesis = new Nemesis(cluster, all, pace);
  const nextFault = (): void => {
    if (time.now > faultsEndMs) return;
    const { name, nextInMs } = nemesis.begin();
    trace(`${time.now.toFixed(3)} ${name} ${cluster.counters.events}`);
    time.after(nextInMs, nextFault);
  };
  time.after(100, nextFault);
  await cluster.runUntil(faultsEndMs + 2_600);
  restore(cluster);
  await cluster.runUntil(time.now + 1_100);
  if (flips !== undefined) await requireWhole(cluster);
  await agreed(cluster);
  const unanswered = clients.flatMap((client) => client.unanswered);
  if (unanswered.length > 0)
    throw new SafetyViolation(`nodes that run do not answer: ${unanswered.join(', ')}`);
  const leader = cluster.leader(table);
  const final = new Map(
    habits.lists.map((list) => {
      const row = leader?.shard(table)?.getOutdated(encodeUtf8(list));
      return [list, valuesOf(row === undefined ? null : (JSON.parse(row.text) as Datum))];
    }),
  );
  const history = clients.flatMap((client) => client.history);
  checkLists(history, final);
  const { state } = leader?.database ?? {};
  for (const name of made)
    if (state?.databases[name] === undefined)
      throw new SafetyViolation(`the acknowledged database ${name} is lost`);
  const isDone = ({ returnedAt }: { returnedAt: number }): boolean => Number.isFinite(returnedAt);
  return {
    operations: history.length,
    acknowledged: history.filter((each) => each.kind === 'append' && isDone(each)).length,
    reads: history.filter(({ kind }) => kind === 'read').length,
    repeated: clients.reduce((sum, client) => sum + client.repeated, 0),
    changes: made.size,
    parts: cluster.counters.parts,
    simulatedMs: Math.round(time.now),
    digest: crc32(encodeUtf8([...final.values()].flat().join(' '))),
  };
}
