import { encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import { scriptedBatch } from '../../../dataplane/database/testing/edits.ts';
import { keyspaceKey } from '../../../dataplane/table/envelope.ts';
import type { Fault } from '../nemesis.ts';
import { SafetyViolation } from '../violation.ts';
import { table } from './faults.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** A bit of a row that nobody writes any more, in the store of one replica: found by a scrub, and repaired by the others. */
const keys = Array.from({ length: 5 }, (_, at) => `still${at}`);
const repairedMs = 60_000;
const never = new AbortController().signal;

/** The rows, on every replica. */
export async function putStillRows(cluster: SimulatedCluster): Promise<void> {
  for (const id of keys) {
    let isOver = false;
    const leader = cluster.leader(table);
    const edits = scriptedBatch([{ key: encodeUtf8(id), evaluate: () => ({ id }) }], 'hard');
    leader?.life.run(() => {
      const put = leader.shard(table)?.edit(edits, never);
      put?.then(
        () => (isOver = true),
        () => undefined,
      );
    });
    await cluster.until(() => isOver, repairedMs, 'a row is written');
  }
}

function scrub({ life, database }: SimulatedNode, ended: (findings: number) => void): void {
  life.run(() => {
    database?.scrub().then(
      (findings) => ended(findings.length),
      () => undefined,
    );
  });
}

/** One replica at most: what none has whole cannot be repaired. */
export class FlippedRow implements Fault<SimulatedCluster> {
  readonly name = 'flipped row';
  readonly weight = 3;
  #node: string | undefined;
  flips = 0;

  begin(cluster: SimulatedCluster): void {
    const { random, time, nodes } = cluster;
    const node = nodes.get(this.#node ?? random.pick([...nodes.keys()]));
    const shard = node?.shard(table);
    if (node === undefined || shard === undefined) return;
    const { store, keyspace } = shard.options;
    const key = keyspaceKey(keyspace, encodeUtf8(random.pick(keys)));
    this.#node = node.id;
    node.life.run(() => {
      void store.write((transaction) => {
        const value = transaction.get('data', key);
        if (value === undefined) return;
        this.flips += 1;
        transaction.put('data', key, value.with(16, (value[16] ?? 0) ^ 1));
      });
    });
    time.after(20 + random.below(1_000), () => scrub(node, () => undefined));
  }
}

/** When the faults have ended, every replica has every row whole. */
export async function requireWhole(cluster: SimulatedCluster): Promise<void> {
  const whole = new Set<string>();
  const look = (): void => {
    for (const node of cluster.nodes.values()) {
      if (whole.has(node.id)) continue;
      const isHere = keys.every((key) => hasRow(node, key));
      if (!isHere) continue;
      scrub(node, (findings) => {
        if (findings === 0 && node.database?.corruption.tables().length === 0) whole.add(node.id);
      });
    }
  };
  let lookAt = 0;
  const isWhole = (): boolean => {
    if (cluster.time.now >= lookAt) {
      lookAt = cluster.time.now + 1_000;
      look();
    }
    return whole.size === cluster.nodes.size;
  };
  try {
    await cluster.until(isWhole, repairedMs, 'every replica is whole');
  } catch (error) {
    const missing = [...cluster.nodes.keys()].filter((id) => !whole.has(id));
    throw new SafetyViolation(`${(error as Error).message}: ${missing.join(', ')} are not`);
  }
}

function hasRow(node: SimulatedNode, key: string): boolean {
  try {
    return node.shard(table)?.getOutdated(encodeUtf8(key)) !== undefined;
  } catch {
    // Damaged, or closed: it is repaired later.
    return true;
  }
}
