import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { encodeUtf8, decodeUtf8 } from '../common/bytes.ts';
import { isRefusal } from './errors.ts';
import type { GroupMachine, Position, ReplicatedGroup, Replication } from './replicated-group.ts';

/** What a test does to whatever is below the groups. */
export interface Below {
  readonly replication: Replication;
  /** So many proposals that wait are committed, oldest first; all without a number. */
  commit(count?: number): void;
  /** None of those that wait is taken. */
  refuse(): void;
  /** Nothing is committed any more. */
  fail(error: Error): void;
  /** Commands of a group that are committed, in their order. */
  committed(group: number): readonly { readonly index: number; readonly payload: Uint8Array }[];
  /** Whether what comes is refused, while what waits may still be committed. */
  setRefusing(isRefusing: boolean): void;
  setFull(isFull: boolean): void;
  /** The next life of the same data. */
  next(): Below;
}

class Recorder implements GroupMachine {
  readonly events: string[] = [];
  readonly failures: Error[] = [];

  committed(upTo: number): void {
    this.events.push(`committed ${upTo}`);
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

/** A machine that keeps what it proposed, as a shard does. */
class Keeper implements GroupMachine {
  readonly visible: string[] = [];
  readonly outstanding = new Map<number, string>();

  committed(upTo: number): void {
    for (const [index, command] of this.outstanding) {
      if (index > upTo) return;
      this.outstanding.delete(index);
      this.visible.push(`${index} ${command}`);
    }
  }

  withdrawn(from: number): void {
    for (const index of this.outstanding.keys()) if (index >= from) this.outstanding.delete(index);
  }

  failed(error: Error): void {
    throw error;
  }
}

const command = (text: string): Uint8Array => encodeUtf8(text);

function proposed(group: ReplicatedGroup, text = 'x'): Position {
  const next = group.nextIndex;
  const position = group.propose(command(text));
  if (position instanceof Error) throw position;
  expect(position.index).to.equal(next);
  return position;
}

export function replicatedGroupCompliance(what: string, make: () => Below): void {
  describe(`${what}, as a replicated group`, () => {
    it('gives positions behind what was applied, one after the other', async () => {
      const below = make();
      const group = below.replication.join(3, new Recorder(), 41);
      expect(proposed(group).index).to.equal(42);
      expect(proposed(group).index).to.equal(43);
      const other = below.replication.join(4, new Recorder(), 0);
      expect(proposed(other).index).to.equal(1);
      below.commit();
      await turn();
      expect(group.nextIndex).to.equal(44);
    });

    it('tells of commits in order, and never before a proposal has returned', async () => {
      const below = make();
      const machine = new Recorder();
      const group = below.replication.join(3, machine, 0);
      for (const text of ['a', 'b', 'c']) proposed(group, text);
      expect(machine.events).to.deep.equal([]);
      await turn();
      expect(machine.events).to.deep.equal([]);
      below.commit(1);
      await turn();
      expect(machine.events).to.deep.equal(['committed 1']);
      below.commit();
      await turn();
      expect(machine.events.at(-1)).to.equal('committed 3');
      expect(below.committed(3).map(({ payload }) => decodeUtf8(payload))).to.deep.equal([
        'a',
        'b',
        'c',
      ]);
    });

    it('withdraws what was refused once, from the first on, and gives its indexes out again', async () => {
      const below = make();
      const machine = new Recorder();
      const group = below.replication.join(3, machine, 0);
      proposed(group);
      below.commit();
      await turn();
      proposed(group, 'lost');
      proposed(group, 'lost too');
      below.refuse();
      await turn();
      expect(machine.events).to.deep.equal(['committed 1', 'withdrawn 2']);
      expect(machine.failures.every(isRefusal)).to.equal(true);
      expect(proposed(group, 'again').index).to.equal(2);
      below.commit();
      await turn();
      expect(machine.events.at(-1)).to.equal('committed 2');
      expect(below.committed(3).map(({ payload }) => decodeUtf8(payload))).to.deep.equal([
        'x',
        'again',
      ]);
    });

    it('withdraws what was proposed before a refusal, when it is refused after all', async () => {
      const below = make();
      const machine = new Recorder();
      const group = below.replication.join(3, machine, 0);
      for (const text of ['a', 'b']) proposed(group, text);
      below.setRefusing(true);
      proposed(group, 'c');
      await turn();
      below.setRefusing(false);
      expect(machine.events).to.deep.equal(['withdrawn 3']);
      expect(proposed(group, 'd').index).to.equal(3);
      below.commit(1);
      await turn();
      below.refuse();
      await turn();
      expect(machine.events).to.deep.equal(['withdrawn 3', 'committed 1', 'withdrawn 2']);
      expect(group.nextIndex).to.equal(2);
    });

    it('says that nothing is committed any more', async () => {
      const below = make();
      const machine = new Recorder();
      const group = below.replication.join(3, machine, 0);
      proposed(group);
      proposed(group);
      below.fail(new Error('EIO'));
      await turn();
      expect(machine.events).to.deep.equal(['failed']);
      expect(machine.failures[0]?.message).to.equal('EIO');
    });

    it('says whether there is room, and waits for it', async () => {
      const below = make();
      const group = below.replication.join(3, new Recorder(), 0);
      expect(group.isFull).to.equal(false);
      below.setFull(true);
      expect(group.isFull).to.equal(true);
      let hasRoom = false;
      const waiting = group.room(new AbortController().signal).then(() => (hasRoom = true));
      await turn();
      expect(hasRoom).to.equal(false);
      below.setFull(false);
      await waiting;
      expect(group.isFull).to.equal(false);
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
          const shown = new Map<number, string[]>([
            [1, []],
            [2, []],
          ]);
          const begin = () =>
            new Map(
              [...shown].map(([id, before]) => {
                const keeper = new Keeper();
                keeper.visible.push(...before);
                return [id, { keeper, group: below.replication.join(id, keeper, before.length) }];
              }),
            );
          let groups = begin();
          for (const { group: id, count, after } of steps) {
            below.setRefusing(after === 'refuse to come');
            for (let left = count; left > 0; left -= 1) {
              const { keeper, group } = groups.get(id) ?? {};
              if (keeper === undefined || group === undefined) continue;
              const text = `c${(number += 1)}`;
              keeper.outstanding.set(group.nextIndex, text);
              proposed(group, text);
            }
            if (after === 'commit one') below.commit(1);
            if (after === 'commit') below.commit();
            if (after === 'refuse') below.refuse();
            await turn();
            below.setRefusing(false);
            for (const [each, { keeper }] of groups) {
              const have = below
                .committed(each)
                .map(({ index, payload }) => `${index} ${decodeUtf8(payload)}`);
              expect(keeper.visible).to.deep.equal(have);
              shown.set(each, have);
              if (after === 'commit' || after === 'refuse')
                expect([...keeper.outstanding]).to.deep.equal([]);
            }
            if (after !== 'restart') continue;
            below = below.next();
            groups = begin();
          }
        }),
        { numRuns: 200 },
      );
    });
  });
}
