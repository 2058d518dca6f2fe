import { Prng } from '../../dataplane/common/prng.ts';
import { faultKinds, ReplicatedNodes } from '../e2e/replicated-nodes.ts';
import type { FaultRound } from '../e2e/replicated-nodes.ts';
import { porcupine, verdicts } from '../simulation/porcupine/judge.ts';
import type { Part, Soak } from './part.ts';

/** Rounds of one cluster: the histories of more could not be decided. */
const roundsPerCluster = 12;
/** In which another node joins. */
const growingRounds = new Set([4, 8]);
const [nodesAtFirst, nodesAtLast] = [3, 5];

function roundOf(replicated: ReplicatedNodes, random: Prng): FaultRound {
  const { running } = replicated;
  const kind = random.pick(faultKinds);
  return {
    kind,
    node: random.pick(running),
    replicas: 1 + random.below(running.length),
    delayMs: random.below(1_000),
    lastsMs: kind === 'pause' ? 5_000 + random.below(25_000) : 500 + random.below(10_000),
  };
}

/** One cluster that grows from three nodes to five; answers how many operations clients had answered or not. */
async function cluster(
  seed: number,
  rounds: number,
  progress: (text: string) => void,
): Promise<{ operations: number; readsAfterPause: number }> {
  const random = new Prng(seed);
  const replicated = await ReplicatedNodes.form(nodesAtFirst, nodesAtLast);
  try {
    for (let at = 1; at <= rounds; at += 1) {
      const round = roundOf(replicated, random);
      const { kind, node, replicas, lastsMs } = round;
      progress(`${node.name}: ${kind} for ${lastsMs} ms, ${replicas} replicas`);
      // A node joins by the first one, which has to be reached.
      const isFirst = node === replicated.running[0];
      if (growingRounds.has(at) && !isFirst)
        await Promise.all([replicated.grow(), replicated.round(round)]);
      else await replicated.round(round);
    }
    await replicated.reconfigure(nodesAtFirst);
    await replicated.allReady();
    await replicated.check();
    const { load, readsAfterPause } = replicated;
    const histories = load.keys.map((key) => load.historyOf(key));
    const judged = await verdicts(await porcupine(), histories);
    if (judged.includes(false)) throw new Error('Porcupine finds no order of the operations');
    return { operations: load.operations, readsAfterPause };
  } finally {
    await replicated.close();
  }
}

/**
 * Real nodes in network namespaces: members of a table change, and nodes join, while links are cut, and processes are
 * killed or stand still. It needs Linux and root.
 */
const faults: Part = async ({ rounds, progress }) => {
  const first = Date.now() % 1_000_000_000;
  const sum = { operations: 0, readsAfterPause: 0 };
  for (let done = 0; done < rounds; done += roundsPerCluster) {
    const seed = first + done;
    const count = Math.min(roundsPerCluster, rounds - done);
    try {
      const { operations, readsAfterPause } = await cluster(seed, count, progress);
      sum.operations += operations;
      sum.readsAfterPause += readsAfterPause;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    progress(`${done + count} of ${rounds} rounds, ${sum.operations} operations`);
  }
  return `${rounds} rounds from seed ${first} on, ${sum.operations} operations, ${sum.readsAfterPause} reads of nodes that stood still; all linearizable`;
};

export const clusterSoak: Soak = { faults };
