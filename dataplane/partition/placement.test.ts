import { expect } from 'chai';
import { array, assert, constantFrom, integer, property, record, uniqueArray } from 'fast-check';
import {
  balanceFirst,
  grownReplicas,
  loadOf,
  metadataVoters,
  placeShards,
  replaceShards,
} from './placement.ts';
import type { PlacementNode } from './placement.ts';

const ids = uniqueArray(integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 });
const nodesOf = (numbers: readonly number[]): PlacementNode[] =>
  numbers.map((number) => ({ id: `n${number}` }));
const wish = record({
  shards: integer({ min: 1, max: 32 }),
  replicas: integer({ min: 1, max: 7 }),
});
const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);

describe('the placement of replicas', () => {
  it('has as many different nodes for each shard as are asked for, or as there are', () => {
    assert(
      property(ids, wish, (numbers, wanted) => {
        const placed = placeShards(nodesOf(numbers), wanted);
        expect(placed.length).to.equal(wanted.shards);
        for (const nodes of placed) {
          expect(new Set(nodes).size).to.equal(nodes.length);
          expect(nodes.length).to.equal(Math.min(wanted.replicas, numbers.length));
        }
      }),
    );
  });

  it('gives each node as many replicas, and about as many shards to lead', () => {
    assert(
      property(ids, wish, (numbers, wanted) => {
        const nodes = nodesOf(numbers);
        const load = loadOf(placeShards(nodes, wanted));
        expect(spread(nodes.map(({ id }) => load.replicas.get(id) ?? 0))).to.be.at.most(1);
        const leading = nodes.map(({ id }) => load.first.get(id) ?? 0);
        expect(Math.max(...leading)).to.be.at.most(Math.ceil(wanted.shards / numbers.length) + 1);
      }),
    );
  });

  it('counts the replicas that there are', () => {
    assert(
      property(ids, array(wish, { maxLength: 4 }), (numbers, tables) => {
        const nodes = nodesOf(numbers);
        const placed: string[][] = [];
        for (const wanted of tables) placed.push(...placeShards(nodes, wanted, loadOf(placed)));
        const { replicas } = loadOf(placed);
        expect(spread(nodes.map(({ id }) => replicas.get(id) ?? 0))).to.be.at.most(1);
      }),
    );
  });

  it('spreads the replicas of a shard over zones', () => {
    const zone = constantFrom('east', 'west', 'north');
    assert(
      property(array(zone, { minLength: 3, maxLength: 9 }), wish, (zones, wanted) => {
        const nodes = zones.map((each, at) => ({ id: `n${at}`, zone: each }));
        for (const placed of placeShards(nodes, wanted)) {
          const used = new Set(placed.map((id) => nodes.find((node) => node.id === id)?.zone));
          expect(used.size).to.equal(Math.min(placed.length, new Set(zones).size));
        }
      }),
    );
  });

  it('keeps what is there when a shard gets more replicas', () => {
    const nodes = nodesOf([1, 2, 3, 4]);
    expect(grownReplicas(['n3'], nodes, 3)).to.deep.equal(['n3', 'n1', 'n2']);
    expect(grownReplicas(['n3', 'n9'], nodes, 2)).to.deep.equal(['n3', 'n9']);
    const busy = { replicas: new Map([['n1', 5]]) };
    expect(grownReplicas(['n3'], nodes, 3, busy)).to.deep.equal(['n3', 'n2', 'n4']);
    expect(grownReplicas(['n3'], nodesOf([3]), 3)).to.deep.equal(['n3']);
  });

  it('moves as few replicas as it can when a table gets another number of them', () => {
    assert(
      property(ids, wish, integer({ min: 1, max: 7 }), (numbers, wanted, replicas) => {
        const nodes = nodesOf(numbers);
        const before = placeShards(nodes, wanted);
        const after = replaceShards(before, nodes, replicas);
        for (const [at, placed] of after.entries()) {
          const old = before[at] ?? [];
          expect(new Set(placed).size).to.equal(placed.length);
          expect(placed.length).to.equal(Math.min(replicas, numbers.length));
          const kept = placed.filter((id) => old.includes(id)).length;
          expect(kept).to.equal(Math.min(old.length, placed.length));
        }
      }),
    );
  });

  it('takes replicas away from nodes that are none any more', () => {
    const moved = replaceShards([['n1', 'n9'], ['n9']], nodesOf([1, 2, 3]), 2);
    expect(moved.flat()).not.to.include('n9');
    expect(moved.map(({ length }) => length)).to.deep.equal([2, 2]);
  });

  it('balances who leads, and moves no replica for it', () => {
    assert(
      property(ids, wish, (numbers, wanted) => {
        const placed = placeShards(nodesOf(numbers), wanted).map((nodes) => nodes.toSorted());
        const balanced = balanceFirst(placed);
        expect(balanced.map((nodes) => nodes.toSorted())).to.deep.equal(placed);
        const { first } = loadOf(balanced);
        for (const [leader = '', ...others] of balanced)
          for (const other of others)
            expect((first.get(leader) ?? 0) - (first.get(other) ?? 0)).to.be.at.most(1);
      }),
    );
  });

  it('has an odd number of voters of the metadata, those that vote already first', () => {
    expect(metadataVoters(['a'], ['a', 'b'])).to.deep.equal(['a']);
    expect(metadataVoters(['b'], ['a', 'b', 'c'])).to.deep.equal(['b', 'a', 'c']);
    expect(metadataVoters(['a', 'b', 'c'], ['a', 'b', 'c', 'd'])).to.deep.equal(['a', 'b', 'c']);
    expect(metadataVoters(['c'], ['a', 'b', 'c', 'd', 'e', 'f', 'g']).length).to.equal(5);
    // Of two that are left neither may be lost, and one alone would be no better.
    expect(metadataVoters(['a', 'b', 'c'], ['a', 'c'])).to.deep.equal(['a', 'c']);
    expect(metadataVoters(['a', 'c'], ['a', 'c', 'd'])).to.deep.equal(['a', 'c', 'd']);
  });
});
