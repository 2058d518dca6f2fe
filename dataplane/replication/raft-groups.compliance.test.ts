import { entryKind } from './entry-kind.ts';
import type { GroupStart, Replication } from './replicated-group.ts';
import { replicatedGroupCompliance } from './replicated-group.compliance.ts';
import type { Below } from './replicated-group.compliance.ts';
import { ManualMemberLog } from './testing/manual-member-log.ts';
import { Nodes, timing } from './testing/nodes.ts';

/** A machine of a replica that a test does not look at. */
const idle = {
  committed: () => undefined,
  replicated: () => undefined,
  withdrawn: () => undefined,
  led: () => undefined,
  failed: () => undefined,
};

/** The first node is the one under test; the others follow it, and sync at once. */
function below(ids: readonly string[], logs?: readonly ManualMemberLog[]): Below {
  const nodes = new Nodes();
  const lives = ids.map((node, at) => {
    const { log, recovered } = (logs?.[at] ?? new ManualMemberLog()).reopened();
    log.isQuick = at > 0;
    // Nobody campaigns before the first has had several chances.
    const patience = at > 0 ? { electionTicks: 30 } : {};
    const chance = { next: () => (at > 0 ? 0.99 : 0) };
    return { log, groups: nodes.start(node, { log, recovered }, patience, chance) };
  });
  const [own, ...others] = lives;
  if (own === undefined) throw new Error('no node');
  const configuration = { voters: ids, outgoing: [], learners: [] };
  const replication: Replication = {
    join: (group, machine, { applied }: GroupStart) => {
      for (const { groups } of others) groups.join(group, idle, { applied, configuration });
      return own.groups.join(group, machine, { applied, configuration });
    },
    leave: (group) => own.groups.leave(group),
    stop: () => own.groups.stop(),
  };
  const commitAll = async (): Promise<void> => {
    own.log.sync();
    await nodes.settle();
    own.log.sync();
  };
  return {
    replication,
    withdrawsRefused: false,
    commit: (count) => (count === undefined ? commitAll() : own.log.sync(count)),
    refuse: () => own.log.refuse(),
    fail: (error) => own.log.fail(error),
    committed: (group) => own.log.entries(group).filter(({ kind }) => kind === entryKind.command),
    setRefusing: (isRefusing) => {
      if (isRefusing) own.log.isRefusing = true;
      else own.log.hasRoom();
    },
    setFull: (isFull) => {
      if (isFull) own.log.full = true;
      else own.log.hasRoom();
    },
    turn: async () => {
      await nodes.settle();
      nodes.clock.advance(timing.tickMs);
      await nodes.settle();
    },
    next: async () => {
      // It stops in order: what it proposed is on the medium, so that it can lead again.
      await commitAll();
      for (const { groups } of lives) await groups.stop();
      return below(
        ids,
        lives.map(({ log }) => log),
      );
    },
  };
}

replicatedGroupCompliance('a Raft group with one voter', () => below(['a']));
replicatedGroupCompliance('a Raft group with three voters', () => below(['a', 'b', 'c']));
