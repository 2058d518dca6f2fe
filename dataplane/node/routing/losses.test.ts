import { expect } from 'chai';
import { applyMetadata } from '../../metadata/apply.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { emptyState } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import { needOf } from './losses.ts';
import type { LossFacts, Voters } from './losses.ts';

const ids = ['a', 'b', 'c'];

/** Three members, and one table with one shard. */
function stateOf(): MetadataState {
  const member = (id: string): MetadataCommand => ({
    type: 'putMember',
    format: 3,
    member: { id, name: `node-${id}`, roles: ['data'] },
  });
  const commands: readonly MetadataCommand[] = [
    ...ids.map(member),
    { type: 'createDatabase', id: 'd', name: 'shop' },
    { type: 'createTable', format: 3, table: newTable('t'), replicas: [ids] },
  ];
  return commands.reduce<MetadataState>((state, command) => {
    const result = applyMetadata(state, command);
    if (result.type === 'refused') throw new Error(result.message);
    return result.state;
  }, emptyState);
}

const all: Voters = { voters: ids, outgoing: [] };

/** The loss of `c`, as `a` reports the shard. */
function needed(shard: Voters | undefined, change: Partial<LossFacts> = {}): string | undefined {
  const led = shard === undefined ? [] : [{ table: 't', shard: 0, members: [], ...shard }];
  return needOf('c', {
    state: stateOf(),
    metadata: all,
    led: new Map([
      ['a', led],
      ['b', []],
    ]),
    isUp: (id) => id !== 'c',
    ...change,
  });
}

describe('a member that is lost', () => {
  it('is not needed when each group has a leader and a majority without it', () => {
    expect(needed(all)).to.equal(undefined);
    expect(needed({ voters: ['a'], outgoing: [] })).to.equal(undefined);
    expect(needed({ voters: ['a', 'b', 'd'], outgoing: ids })).to.equal(undefined);
  });

  it('is needed by a shard that has no majority without it, of the former members neither', () => {
    const words = 'shard 0 of table `shop.t` has no majority without it';
    for (const shard of [
      { voters: ['a', 'c'], outgoing: [] },
      { voters: ['c'], outgoing: [] },
      { voters: ['a', 'b'], outgoing: ['a', 'c'] },
    ]) {
      expect(needed(shard)).to.equal(words);
    }
    const isUp = (id: string): boolean => id === 'a';
    expect(needed(all, { isUp, metadata: { voters: ['a'], outgoing: [] } })).to.contain('majority');
  });

  it('is needed by a shard that nobody leads', () => {
    expect(needed(undefined)).to.contain('has no leader without it');
  });

  it('is needed by the metadata', () => {
    const metadata = { voters: ['a', 'c'], outgoing: [] };
    expect(needed(all, { metadata })).to.equal('the metadata has no majority without it');
  });
});
