import { AttackedDetector } from '../../dataplane/membership/testing/attacks.ts';
import { localNetwork } from '../../dataplane/gossip/options.ts';
import type { Part } from './part.ts';

/** A million hostile datagrams against a failure detector: nothing ends it, and its memory stays bounded. */
const attacks = 1_000_000;
const attacksPerSeed = 100_000;
const memoryBytesMax = 256 * 1_048_576;

export const gossipFuzz: Part = async ({ progress }) => {
  const before = process.memoryUsage().rss;
  const refused = new Map<string, number>();
  let done = 0;
  for (let seed = 1; done < attacks; seed += 1) {
    const target = new AttackedDetector(seed);
    for (let round = 0; round < attacksPerSeed; round += 1) {
      target.attack();
      if (round % 100 === 0) target.detector.gossip.tick();
    }
    done += attacksPerSeed;
    for (const [reason, count] of target.counts.refused) {
      refused.set(reason, (refused.get(reason) ?? 0) + count);
    }
    const { length } = target.detector.gossip.members;
    if (length > localNetwork.membersMax) throw new Error(`seed ${seed}: ${length} members`);
    progress(`${done} datagrams`);
  }
  const grown = process.memoryUsage().rss - before;
  if (grown > memoryBytesMax) throw new Error(`the process has grown by ${grown} bytes`);
  const reasons = [...refused].map(([reason, count]) => `${reason} ${count}`).join(', ');
  return `${done} hostile datagrams; refused: ${reasons}; ${Math.round(grown / 1_048_576)} MiB more`;
};
