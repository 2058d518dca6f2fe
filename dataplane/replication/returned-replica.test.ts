import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { encodeMessages } from '../raft/message-codec.ts';
import { hardStateOf } from './member-records.ts';
import { RecoveredGroups } from './recovered-groups.ts';
import { ManualMemberLog } from './testing/manual-member-log.ts';
import { Nodes } from './testing/nodes.ts';

describe('a node that gives a replica away', () => {
  it('remembers how far its log was, in this life and the next', async () => {
    const nodes = new Nodes();
    const life = { log: new ManualMemberLog(), recovered: new RecoveredGroups() };
    life.log.isQuick = true;
    const groups = nodes.start('a', life);
    const machine = {
      committed: () => undefined,
      replicated: () => undefined,
      withdrawn: () => undefined,
      led: () => undefined,
      failed: () => undefined,
    };
    const applied = { index: 0, term: 0 };
    const founded = { applied, configuration: { voters: ['a'], outgoing: [], learners: [] } };
    const group = groups.join(1, machine, founded);
    await nodes.settle();
    group.propose(encodeUtf8('x'));
    await nodes.settle();
    groups.leave(1);
    await nodes.settle();
    const acknowledged = { term: 1, index: 2 };
    const known = hardStateOf(life.log.recovery.hardState(1));
    expect(known).to.deep.equal({ term: 1, vote: 'a', committed: 2, acknowledged });

    const nobody = { applied, configuration: { voters: [], outgoing: [], learners: [] } };
    groups.join(1, machine, nobody);
    await nodes.settle();
    const again = hardStateOf(life.log.recovery.hardState(1));
    expect(again).to.deep.equal({ term: 1, vote: 'a', committed: 0, acknowledged });

    const heartbeat = { type: 'heartbeat', round: 1, committed: 0, isLast: false } as const;
    const message = { ...heartbeat, term: 5, from: 'b', to: 'a' };
    groups.receive('b', encodeMessages([{ group: 1, message }]));
    await nodes.pass(1_000);
    const later = hardStateOf(life.log.recovery.hardState(1));
    expect(later, 'in a later term').to.include({ term: 5 });
    expect(later.acknowledged).to.deep.equal(acknowledged);
  });
});
