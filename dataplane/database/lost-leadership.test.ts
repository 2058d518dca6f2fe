import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { OutcomeUnknownError } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';
import type {
  GroupMachine,
  GroupStart,
  ReplicatedGroup,
  Replication,
} from '../replication/replicated-group.ts';
import { SingleNode } from '../replication/single-node.ts';
import { editAll } from './testing/edits.ts';
import { replicating } from './testing/replicating.ts';
import { newFixture, open, put, scan, stateOf, withTable } from './testing/fixture.ts';

/** Groups of one member that may lose their leadership, and win it again. */
class Deposable implements Replication {
  readonly #inner: SingleNode;
  readonly #machines = new Map<number, { machine: GroupMachine; first: number | undefined }>();
  isLeader = true;

  constructor(log: GroupLog) {
    this.#inner = new SingleNode(log);
  }

  join(group: number, machine: GroupMachine, start: GroupStart): ReplicatedGroup {
    const known = { machine, first: undefined as number | undefined };
    this.#machines.set(group, known);
    const inner = this.#inner.join(group, machine, start);
    const isLeader = (): boolean => this.isLeader;
    return {
      leader: inner.leader,
      refusal: undefined,
      mustRejoin: undefined,
      isVoter: true,
      configuration: inner.configuration,
      matches: inner.matches,
      readable: () => undefined,
      changeMembers: (target) => inner.changeMembers(target),
      transferLeadership: (to) => inner.transferLeadership(to),
      tell: (to, note) => inner.tell(to, note),
      giveState: (to) => inner.giveState(to),
      takeState: (snapshot) => inner.takeState(snapshot),
      get isFull() {
        return inner.isFull;
      },
      room: (signal) => inner.room(signal),
      get nextIndex() {
        return known.first ?? inner.nextIndex;
      },
      propose: (payload) => {
        if (isLeader()) return inner.propose(payload);
        // It is taken, and nobody ever says what became of it.
        const index = known.first ?? inner.nextIndex;
        known.first = index + 1;
        return { term: 1, index };
      },
    };
  }

  leave(group: number): void {
    this.#inner.leave(group);
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  /** What was proposed meanwhile is withdrawn. */
  lose(group: number, from: number): void {
    const known = this.#machines.get(group);
    if (known === undefined) throw new Error(`no group ${group}`);
    known.first = undefined;
    known.machine.withdrawn(from, new OutcomeUnknownError());
  }
}

const unknown = /^This node no longer leads the shard: the write may have been applied, or not/;

describe('a shard whose node loses its leadership', () => {
  it('says that the outcome of its proposals is unknown, shows none of them, and goes on', async () => {
    const replications: Deposable[] = [];
    const database = await open(newFixture(), {
      replicate: replicating((log) => {
        const made = new Deposable(log);
        replications.push(made);
        return made;
      }),
    });
    const group = await withTable(database);
    await put(group, 'a', 'before');
    const [replication] = replications;
    if (replication === undefined) throw new Error('nothing replicates');
    replication.isLeader = false;
    const writing = [
      editAll(group, [{ key: encodeUtf8('a'), evaluate: () => ({ id: 'a', v: 'lost' }) }]),
      editAll(group, [
        { key: encodeUtf8('a'), evaluate: (old) => old },
        { key: encodeUtf8('b'), evaluate: () => ({ id: 'b', v: 'lost' }) },
      ]),
    ];
    const soft = await put(group, 'c', 'lost', 'soft');
    expect(soft[0]?.error).to.equal(undefined);
    replication.isLeader = true;
    replication.lose(group.options.group, 2);
    for (const written of await Promise.allSettled(writing)) {
      expect(written.status).to.equal('rejected');
      if (written.status === 'rejected') expect(String(written.reason.message)).to.match(unknown);
    }
    let reported: unknown;
    await group.sync().catch((error: unknown) => (reported = error));
    expect(reported).to.be.instanceOf(OutcomeUnknownError);
    expect(await scan(group)).to.deep.equal(['{"id":"a","v":"before"}']);
    await put(group, 'b', 'after');
    expect(await scan(group)).to.have.length(2);
    stateOf(await database.change({ type: 'createDatabase', id: 'e', name: 'e' }));
    await database.settled();
    expect(await database.scrub()).to.deep.equal([]);
    await database.stop();
  });
});
