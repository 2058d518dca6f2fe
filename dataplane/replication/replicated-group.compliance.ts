import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { encodeUtf8, decodeUtf8 } from '../common/bytes.ts';
import { isOfConsensus } from './entry-kind.ts';
import { ChangeRefusedError, isRefusal } from './errors.ts';
import type {
  CommittedEntry,
  GroupMachine,
  Position,
  ReplicatedGroup,
  Replication,
} from './replicated-group.ts';

/** What a test does to whatever is below the groups. */
export interface Below {
  readonly replication: Replication;
  /** So many proposals that wait are committed, oldest first; all without a number. */
  commit(count?: number): Promise<void> | void;
  /** Whether a refusal of the log withdraws proposals: where others may have them, they wait for room. */
  readonly withdrawsRefused: boolean;
  /** None of those that wait is taken. */
  refuse(): void;
  /** Nothing is committed any more. */
  fail(error: Error): void;
  /** Commands of a group that are committed, in their order. */
  committed(group: number): readonly { readonly index: number; readonly payload: Uint8Array }[];
  /** Whether what comes is refused, while what waits may still be committed. */
  setRefusing(isRefusing: boolean): void;
  setFull(isFull: boolean): void;
  /** Lets everything happen that needs no `commit`. */
  turn(): Promise<void>;
  /** The next life of the same data. */
  next(): Promise<Below> | Below;
}

class Recorder implements GroupMachine {
  readonly events: string[] = [];
  readonly failures: Error[] = [];
  isLeading = false;

  committed(upTo: number): void {
    this.events.push(`committed ${upTo}`);
  }

  replicated({ kind, index }: CommittedEntry): void {
    if (!isOfConsensus(kind)) this.events.push(`replicated ${index}`);
  }

  led(isLeading: boolean): void {
    this.isLeading = isLeading;
  }

  withdrawn(from: number, reason: Error): void {
    this.events.push(`withdrawn ${from}`);
    this.failures.push(reason);
  }

  failed(error: Error): void {
    if (this.failures.length === 0) this.events.push('failed');
    this.failures.push(error);
  }
}

/** A machine that keeps what was handed over, as a shard does. */
class Keeper implements GroupMachine {
  readonly visible: string[] = [];
  readonly outstanding = new Map<number, string>();
  applied: Position;

  constructor(before: readonly string[], applied: Position) {
    this.visible.push(...before);
    this.applied = applied;
  }

  committed(upTo: number): void {
    for (const [index, command] of this.outstanding) {
      if (index > upTo) return;
      this.outstanding.delete(index);
      this.#take({ index, term: this.applied.term }, command);
    }
  }

  replicated({ kind, payload, ...position }: CommittedEntry): void {
    this.#take(position, isOfConsensus(kind) ? undefined : decodeUtf8(payload));
  }

  #take({ term, index }: Position, command: string | undefined): void {
    expect(index).to.equal(this.applied.index + 1);
    this.applied = { term, index };
    if (command !== undefined) this.visible.push(`${index} ${command}`);
  }

  led(): void {
    // Whoever waits for it looks at `refusal`.
  }

  withdrawn(from: number): void {
    for (const index of this.outstanding.keys()) if (index >= from) this.outstanding.delete(index);
  }

  failed(error: Error): void {
    throw error;
  }
}

const command = (text: string): Uint8Array => encodeUtf8(text);

/** Nothing takes more turns. */
const turnsMax = 100;

/** Joins a group that this node leads, and waits until it does. */
async function lead(
  below: Below,
  group: number,
  machine: GroupMachine,
  applied: Position = { term: 0, index: 0 },
): Promise<ReplicatedGroup> {
  const joined = below.replication.join(group, machine, { applied });
  for (let turns = 0; joined.refusal !== undefined; turns += 1) {
    if (turns > turnsMax) throw new Error('the group gets no leader');
    await below.turn();
    await below.commit();
  }
  await below.turn();
  return joined;
}

function proposed(group: ReplicatedGroup, text = 'x'): Position {
  const next = group.nextIndex;
  const position = group.propose(command(text));
  if (position instanceof Error) throw position;
  expect(position.index).to.equal(next);
  return position;
}

const texts = (commands: readonly { readonly payload: Uint8Array }[]): string[] =>
  commands.map(({ payload }) => decodeUtf8(payload));

export function replicatedGroupCompliance(what: string, make: () => Below): void {
  describe(`${what}, as a replicated group`, () => {
    it('gives positions behind what was applied, one after the other', async () => {
      const below = make();
      const group = await lead(below, 3, new Recorder(), { term: 1, index: 41 });
      const { index: first } = proposed(group);
      expect(first).to.be.greaterThan(41);
      expect(proposed(group).index).to.equal(first + 1);
      const other = await lead(below, 4, new Recorder());
      expect(proposed(other).index).to.be.lessThan(4);
      await below.commit();
      await below.turn();
      expect(group.nextIndex).to.equal(first + 2);
    });

    it('leads, and says so, when everything before was handed over', async () => {
      const below = make();
      const machine = new Recorder();
      const group = await lead(below, 3, machine);
      expect(machine.isLeading).to.equal(true);
      expect(group.leader.isHere).to.equal(true);
      expect(group.mustRejoin).to.equal(undefined);
      proposed(group);
      await below.turn();
      await below.commit();
      await below.turn();
      await group.readable();
      expect(machine.events).to.deep.equal([`committed ${group.nextIndex - 1}`]);
    });

    it('calls no machine of a group that it has left', async () => {
      const below = make();
      const machine = new Recorder();
      const group = await lead(below, 3, machine);
      proposed(group);
      await below.turn();
      below.replication.leave(3);
      await below.commit();
      await below.turn();
      expect(machine.events).to.deep.equal([]);
      await below.replication.stop();
    });

    it('refuses members that cannot be, and a change to what is', async () => {
      const group = await lead(make(), 3, new Recorder());
      expect(group.changeMembers({ voters: [], learners: [] })).to.be.instanceOf(
        ChangeRefusedError,
      );
      expect(group.transferLeadership('nobody')).to.be.instanceOf(ChangeRefusedError);
    });

    it('tells of commits in order, and never before a proposal has returned', async () => {
      const below = make();
      const machine = new Recorder();
      const group = await lead(below, 3, machine);
      const { index: first } = proposed(group, 'a');
      await below.turn();
      proposed(group, 'b');
      const { index: last } = proposed(group, 'c');
      expect(machine.events).to.deep.equal([]);
      await below.turn();
      expect(machine.events).to.deep.equal([]);
      await below.commit(1);
      await below.turn();
      expect(machine.events).to.deep.equal([`committed ${first}`]);
      await below.commit();
      await below.turn();
      expect(machine.events.at(-1)).to.equal(`committed ${last}`);
      expect(texts(below.committed(3))).to.deep.equal(['a', 'b', 'c']);
    });

    if (make().withdrawsRefused) refusals(make);

    it('says that nothing is committed any more', async () => {
      const below = make();
      const machine = new Recorder();
      const group = await lead(below, 3, machine);
      proposed(group);
      proposed(group);
      await below.turn();
      below.fail(new Error('EIO'));
      await below.turn();
      expect(machine.events).to.deep.equal(['failed']);
      expect(machine.failures[0]?.message).to.equal('EIO');
    });

    it('says whether there is room, and waits for it', async () => {
      const below = make();
      const group = await lead(below, 3, new Recorder());
      expect(group.isFull).to.equal(false);
      below.setFull(true);
      expect(group.isFull).to.equal(true);
      let hasRoom = false;
      const waiting = group.room(new AbortController().signal).then(() => (hasRoom = true));
      await below.turn();
      expect(hasRoom).to.equal(false);
      below.setFull(false);
      await waiting;
      expect(group.isFull).to.equal(false);
    });

    it('has room when it says so, also behind what the log refused', async () => {
      const below = make();
      const group = await lead(below, 3, new Recorder());
      proposed(group);
      await below.turn();
      below.refuse();
      await below.turn();
      const { signal } = new AbortController();
      const seen: boolean[] = [];
      // As machines do.
      const room = async (): Promise<void> => {
        if (group.isFull) await group.room(signal);
        seen.push(group.isFull);
      };
      const waiting = room();
      await below.turn();
      for (let turns = 0; seen.length === 0 && turns < turnsMax; turns += 1) {
        await below.commit();
        await below.turn();
      }
      await waiting;
      expect(seen).to.deep.equal([false]);
    });

    it('shows its machines what is committed and nothing else, through refusals and restarts', async () => {
      const step = record({
        group: integer({ min: 1, max: 2 }),
        count: integer({ min: 0, max: 3 }),
        after: constantFrom('wait', 'commit one', 'commit', 'refuse', 'refuse to come', 'restart'),
      });
      await assert(
        asyncProperty(array(step, { maxLength: 30 }), async (steps) => {
          let below = make();
          let number = 0;
          const nothing = { visible: [] as string[], applied: { term: 0, index: 0 } };
          const shown = new Map([1, 2].map((id) => [id, nothing]));
          const begin = async () => {
            const begun = new Map<number, { keeper: Keeper; group: ReplicatedGroup }>();
            for (const [id, before] of shown) {
              const keeper = new Keeper(before.visible, before.applied);
              begun.set(id, { keeper, group: await lead(below, id, keeper, before.applied) });
            }
            return begun;
          };
          let groups = await begin();
          for (const { group: id, count, after } of steps) {
            below.setRefusing(after === 'refuse to come');
            for (let left = count; left > 0; left -= 1) {
              const { keeper, group } = groups.get(id) ?? {};
              if (keeper === undefined || group === undefined) continue;
              const text = `c${(number += 1)}`;
              keeper.outstanding.set(group.nextIndex, text);
              proposed(group, text);
            }
            await below.turn();
            if (after === 'commit one') await below.commit(1);
            if (after === 'commit') await below.commit();
            if (after === 'refuse') below.refuse();
            await below.turn();
            below.setRefusing(false);
            for (const [each, { keeper }] of groups) {
              const have = below
                .committed(each)
                .map(({ index, payload }) => `${index} ${decodeUtf8(payload)}`);
              expect(keeper.visible).to.deep.equal(have);
              shown.set(each, { visible: have, applied: keeper.applied });
              const isOver = after === 'refuse' && below.withdrawsRefused;
              if (after === 'commit' || isOver) expect([...keeper.outstanding]).to.deep.equal([]);
            }
            if (after !== 'restart') continue;
            below = await below.next();
            groups = await begin();
          }
        }),
        { numRuns: 200 },
      );
    });
  });
}

/** Of what the log refuses, where nobody else can have it. */
function refusals(make: () => Below): void {
  it('withdraws what was refused once, from the first on, and gives its indexes out again', async () => {
    const below = make();
    const machine = new Recorder();
    const group = await lead(below, 3, machine);
    const { index: first } = proposed(group);
    await below.commit();
    await below.turn();
    proposed(group, 'lost');
    proposed(group, 'lost too');
    below.refuse();
    await below.turn();
    expect(machine.events).to.deep.equal([`committed ${first}`, `withdrawn ${first + 1}`]);
    expect(machine.failures.every(isRefusal)).to.equal(true);
    expect(proposed(group, 'again').index).to.equal(first + 1);
    await below.commit();
    await below.turn();
    expect(machine.events.at(-1)).to.equal(`committed ${first + 1}`);
    expect(texts(below.committed(3))).to.deep.equal(['x', 'again']);
  });

  it('withdraws what was proposed before a refusal, when it is refused after all', async () => {
    const below = make();
    const machine = new Recorder();
    const group = await lead(below, 3, machine);
    for (const text of ['a', 'b']) proposed(group, text);
    below.setRefusing(true);
    proposed(group, 'c');
    await below.turn();
    below.setRefusing(false);
    expect(machine.events).to.deep.equal(['withdrawn 3']);
    expect(proposed(group, 'd').index).to.equal(3);
    await below.commit(1);
    await below.turn();
    below.refuse();
    await below.turn();
    expect(machine.events).to.deep.equal(['withdrawn 3', 'committed 1', 'withdrawn 2']);
    expect(group.nextIndex).to.equal(2);
  });
}
