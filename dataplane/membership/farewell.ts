import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { isPresent } from '../gossip/member.ts';
import type { Detector } from './detector.ts';
import type { Mesh } from './mesh.ts';

export interface FarewellOptions {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly mesh: Pick<Mesh, 'peers' | 'request'>;
  readonly detector: Pick<Detector, 'leave'> & {
    readonly gossip: Pick<GossipNode, 'id' | 'members'>;
  };
}

/** Between two looks at who has answered. */
const lookMs = 20;
/** A node that reaches nobody stops nevertheless. */
export const farewellMs = 3_000;
/** For the others, after the first answer: that member passes it on. */
const othersMs = 1_000;

/**
 * Says good-bye, and waits until every member that is present has answered. Guarded invariant: when this node ends its
 * sessions, one member at least knows that it has left and passes it on, unless none answers within 3 s. Datagrams
 * alone do not ensure this, since each may be lost, and a node that ends without a word is dead to the others.
 */
export async function sayFarewell({ clock, mesh, detector }: FarewellOptions): Promise<void> {
  const { gossip } = detector;
  const present = gossip.members.filter((each) => each.id !== gossip.id && isPresent(each));
  // Who is connected may not be known as a member yet.
  const unheard = new Set([...present, ...mesh.peers].map(({ id }) => id));
  const asking = new Set<string>();
  let until = clock.now() + farewellMs;
  const { signal: never } = new AbortController();
  const payloadFor = detector.leave();
  const tell = (id: string): void => {
    asking.add(id);
    spawn(
      async () => {
        await mesh.request(id, 'gossip', payloadFor(id), { deadlineMs: farewellMs });
        unheard.delete(id);
        until = Math.min(until, clock.now() + othersMs);
      },
      // Its session has ended: the next one is used.
      () => asking.delete(id),
    );
  };
  while (unheard.size > 0 && clock.now() < until) {
    for (const { id } of mesh.peers) if (unheard.has(id) && !asking.has(id)) tell(id);
    await clock.sleep(lookMs, never);
    // It stops at the same time.
    for (const { id, status } of gossip.members) if (status === 'left') unheard.delete(id);
  }
}
