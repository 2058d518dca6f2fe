import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { entryKind } from './entry-kind.ts';
import { replicatedGroupCompliance } from './replicated-group.compliance.ts';
import type { Below } from './replicated-group.compliance.ts';
import { SingleNode } from './single-node.ts';
import { ManualLog } from './testing/manual-log.ts';

function below(log = new ManualLog()): Below {
  return {
    replication: new SingleNode(log),
    withdrawsRefused: true,
    turn: () => turn(),
    commit: (count) => log.sync(count),
    refuse: () => log.refuse(),
    fail: (error) => log.fail(error),
    committed: (group) => log.entries.filter((entry) => entry.group === group),
    setRefusing: (isRefusing) => (log.isRefusing = isRefusing),
    setFull: (isFull) => {
      if (isFull) log.full = true;
      else log.hasRoom();
    },
    next: () => {
      const again = new ManualLog();
      again.entries.push(...log.entries);
      return below(again);
    },
  };
}

replicatedGroupCompliance('a group of one member', below);

describe('a group of one member', () => {
  it('logs commands as such, and goes on behind a log that is ahead of what was applied', () => {
    const log = new ManualLog();
    const nothing = (): void => undefined;
    const machine = { committed: nothing, replicated: nothing, withdrawn: nothing, led: nothing };
    const failed = (error: Error): void => {
      throw error;
    };
    const join = () =>
      new SingleNode(log).join(7, { ...machine, failed }, { applied: { term: 1, index: 2 } });
    expect(join().propose(Uint8Array.of(1))).to.deep.equal({ term: 1, index: 3 });
    log.sync();
    expect(log.entries).to.deep.equal([
      { group: 7, term: 1, index: 3, kind: entryKind.command, payload: Uint8Array.of(1) },
    ]);
    expect(join().nextIndex).to.equal(4);
  });
});
