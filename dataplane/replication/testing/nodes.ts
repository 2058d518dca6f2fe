import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Chance } from '../../common/chance.ts';
import { Prng } from '../../common/prng.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { RaftGroups } from '../raft-groups.ts';
import type { RaftLimits, RaftTiming } from '../raft-groups.ts';
import { RecoveredGroups } from '../recovered-groups.ts';
import type { ManualMemberLog } from './manual-member-log.ts';

/** Nodes with groups over logs and a network that a test controls. */
export const timing: RaftTiming = {
  tickMs: 10,
  heartbeatTicks: 2,
  electionTicks: 10,
  quiesceTicks: undefined,
};

const limits: RaftLimits = {
  appendBytesMax: 2_000,
  inflightMessagesMax: 8,
  inflightBytesMax: 100_000,
  uncommittedBytesMax: 100_000,
  applyBytesMax: 10_000,
  memoryBytesMax: 2_000,
  promotionLagMax: 5,
};

interface NodeOfTest {
  readonly groups: RaftGroups;
  readonly log: ManualMemberLog;
}

export class Nodes {
  readonly clock = new ManualClock();
  readonly nodes = new Map<string, NodeOfTest>();
  /** Whoever is in here neither receives nor sends. */
  readonly isolated = new Set<string>();
  /** Frames that were sent, by sender and receiver, since the test cleared it. */
  readonly sent: string[] = [];

  /** `electionTicks` of a node, when it is not that of all. */
  start(
    node: string,
    parts: { readonly log: ManualMemberLog; readonly recovered?: RecoveredGroups },
    changes: Partial<RaftTiming> = {},
    chance: Pick<Chance, 'next'> = new Prng(node.charCodeAt(0)),
  ): RaftGroups {
    const groups = new RaftGroups({
      node,
      log: parts.log,
      recovered: parts.recovered ?? new RecoveredGroups(),
      transport: {
        send: (to, frame, urgency) => {
          this.sent.push(`${node}>${to} ${urgency}`);
          const copy = Uint8Array.from(frame);
          setImmediate(() => this.#deliver(node, to, copy));
        },
      },
      clock: this.clock,
      chance,
      timing: { ...timing, ...changes },
      limits,
    });
    this.nodes.set(node, { groups, log: parts.log });
    return groups;
  }

  #deliver(from: string, to: string, frame: Uint8Array): void {
    if (this.isolated.has(from) || this.isolated.has(to)) return;
    this.nodes.get(to)?.groups.receive(from, frame);
  }

  /** Lets everything happen that needs no time and no sync. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 30; turns += 1) await nextTurn();
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += timing.tickMs) {
      this.clock.advance(timing.tickMs);
      await this.settle();
    }
  }
}
