import { expect } from 'chai';
import { NotLeaderError } from '../../replication/errors.ts';
import { beginHandOver, handOver } from './hand-over.ts';
import type { Candidate, LedGroup } from './hand-over.ts';

const alive = (id: string): Candidate => ({ id, status: 'alive', isDraining: false });

/** A group that this node leads; remembers to whom leadership was handed. */
function groupOf(matches: Readonly<Record<string, number>>, to: string[]): LedGroup {
  return {
    refusal: undefined,
    configuration: { voters: Object.keys(matches), outgoing: [], learners: [] },
    matches: new Map(Object.entries(matches)),
    transferLeadership: (id) => {
      to.push(id);
      return undefined;
    },
  };
}

function successorAmong(candidates: readonly Candidate[]): string | undefined {
  const to: string[] = [];
  const group = groupOf({ a: 9, b: 8, c: 9, d: 7 }, to);
  beginHandOver({ node: 'a', groups: () => [group], members: () => candidates });
  return to[0];
}

describe('the hand-over of leadership', () => {
  it('goes to the voter with most of the log', () => {
    expect(successorAmong(['a', 'b', 'c', 'd'].map(alive))).to.equal('c');
  });

  const unable: readonly (readonly [string, Candidate])[] = [
    ['dead', { ...alive('c'), status: 'dead' }],
    ['suspect', { ...alive('c'), status: 'suspect' }],
    ['quarantined', { ...alive('c'), status: 'quarantined' }],
    ['draining', { ...alive('c'), isDraining: true }],
    ['on a full disk', { ...alive('c'), ailment: 'the disk of its log is full' }],
  ];
  for (const [name, candidate] of unable) {
    it(`does not go to a node that is ${name}`, () => {
      expect(successorAmong([alive('a'), alive('b'), candidate, alive('d')])).to.equal('b');
      expect(successorAmong([alive('a'), candidate])).to.equal(undefined);
    });
  }

  it('leaves groups alone that another node leads, and those of this node alone', () => {
    const to: string[] = [];
    const groups = [
      { ...groupOf({ a: 1, b: 1 }, to), refusal: new NotLeaderError('b') },
      groupOf({ a: 1 }, to),
    ];
    const members = () => ['a', 'b'].map(alive);
    expect(beginHandOver({ node: 'a', groups: () => groups, members })).to.equal(0);
    expect(to).to.deep.equal([]);
  });

  it('is tried again while this node leads, and ends although it never succeeds', async () => {
    const to: string[] = [];
    const group = groupOf({ a: 1, b: 1 }, to);
    const members = () => ['a', 'b'].map(alive);
    let turns = 0;
    const clock = { sleep: async () => void (turns += 1) };
    const parts = { node: 'a', groups: () => (turns < 3 ? [group] : []), members };
    await handOver(parts, clock, new AbortController().signal);
    expect(to.length).to.equal(3);
    turns = -1_000;
    await handOver(parts, clock, new AbortController().signal);
    expect(to.length).to.be.within(4, 100);
  });
});
