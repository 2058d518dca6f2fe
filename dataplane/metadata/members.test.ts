import { expect } from 'chai';
import { applyMetadata } from './apply.ts';
import { readMetadataCommand } from './command-format.ts';
import type { MetadataCommand } from './command.ts';
import { isPlacedOn, replicasOf } from './members.ts';
import { placementOf, shardsOf } from './shards.ts';
import { emptyState } from './state.ts';
import type { MetadataState } from './state.ts';
import { newTable } from './testing/new-table.ts';

const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: `node-${id}`, roles: ['data'], zone: 'z' },
});
const database: MetadataCommand = { type: 'createDatabase', id: 'd1', name: 'd' };
const table = (replicas: readonly (readonly string[])[]): MetadataCommand => ({
  type: 'createTable',
  format: 3,
  table: { ...newTable('t1', { name: 't', databaseId: 'd1' }), shards: 2, replicas: 2 },
  replicas,
});
const placed = table([
  ['a', 'b'],
  ['b', 'c'],
]);

/** Each command as the log would give it to a member. */
function after(commands: readonly MetadataCommand[], from = emptyState): MetadataState {
  return commands.reduce<MetadataState>((state, command) => {
    const result = applyMetadata(state, readMetadataCommand(JSON.stringify(command)));
    if (result.type === 'refused') throw new Error(result.message);
    return result.state;
  }, from);
}

function refusal(state: MetadataState, command: MetadataCommand): string {
  const result = applyMetadata(state, command);
  return result.type === 'refused' ? result.message : 'applied';
}

describe('members of the cluster in the metadata', () => {
  const three = after([member('a'), member('b'), member('c'), database]);
  const whole = after([placed], three);
  const groupOf = (state: MetadataState, at: number): number =>
    (state.tables['t1'] === undefined ? [] : shardsOf(state.tables['t1']))[at]?.group ?? 0;
  const place = (wanted: readonly string[]): MetadataCommand => ({
    type: 'placeShard',
    format: 3,
    tableId: 't1',
    group: groupOf(whole, 0),
    wanted,
  });
  /** By a leader that follows the placement of an epoch: that of now, when none is given. */
  const report = (
    voters: readonly string[],
    learners: readonly string[],
    epoch = 1_000,
  ): MetadataCommand => ({
    type: 'shardMembers',
    format: 3,
    tableId: 't1',
    group: groupOf(whole, 0),
    epoch,
    voters,
    learners,
  });

  it('calls the first of them the founder, which has what nobody was named for', () => {
    expect(three.founder).to.equal('a');
    expect(three.format).to.equal(3);
    expect(Object.keys(three.members ?? {})).to.deep.equal(['a', 'b', 'c']);
    expect(replicasOf(three, {})?.voters).to.deep.equal(['a']);
    expect(isPlacedOn(three, {}, 'b')).to.equal(false);
    expect(isPlacedOn(emptyState, {}, 'b')).to.equal(true);
  });

  it('places each shard of a new table, by its command and nothing else', () => {
    expect(shardsOf(whole.tables['t1'] ?? expect.fail()).map(({ replicas }) => replicas)).to.eql([
      { founders: ['a', 'b'], voters: ['a', 'b'], learners: [], wanted: ['a', 'b'] },
      { founders: ['b', 'c'], voters: ['b', 'c'], learners: [], wanted: ['b', 'c'] },
    ]);
    expect(after([placed], three)).to.deep.equal(whole);
  });

  it('moves a replica in steps, each with an epoch of its own', () => {
    const steps = [place(['a', 'c']), report(['a', 'b'], ['c']), report(['a', 'c'], [])];
    let state = whole;
    const seen = steps.map((step) => {
      state = after([step], state);
      const { epoch, shards } = placementOf(state.tables['t1'] ?? expect.fail());
      const shard = shards[0] ?? expect.fail();
      return [epoch, ...['a', 'b', 'c'].filter((id) => isPlacedOn(state, shard, id))];
    });
    expect(seen).to.deep.equal([
      [2, 'a', 'b', 'c'],
      [3, 'a', 'b', 'c'],
      [4, 'a', 'c'],
    ]);
    expect(shardsOf(state.tables['t1'] ?? expect.fail())[0]?.replicas?.founders).to.eql(['a', 'b']);
  });

  it('counts a node as one with a replica until a leader that knows it is not wanted says it is none', () => {
    // `c` may be a voter of the group by now, which nobody has reported.
    const dropped = after([place(['a', 'b', 'c']), place(['a', 'b'])], whole);
    const has = (state: MetadataState): boolean =>
      isPlacedOn(state, shardsOf(state.tables['t1'] ?? expect.fail())[0] ?? {}, 'c');
    expect(has(dropped)).to.equal(true);
    const { epoch } = placementOf(dropped.tables['t1'] ?? expect.fail());
    const late = after([report(['a', 'b'], [], epoch - 1)], dropped);
    expect(has(late), 'the report was made before').to.equal(true);
    expect(has(after([report(['a', 'b'], [], epoch)], late))).to.equal(false);
    expect(has(after([report(['a', 'b'], ['c'], epoch)], late))).to.equal(true);
    expect(has(after([place(['a', 'c']), place(['a', 'b'])], late))).to.equal(true);
  });

  it('refuses nodes that are no members, and lists that do not fit', () => {
    const words = 'Node x is not a member of the cluster.';
    expect(refusal(three, table([['a'], ['x']]))).to.equal(words);
    expect(refusal(whole, place(['a', 'x']))).to.equal(words);
    expect(refusal(whole, report(['a'], ['x']))).to.equal(words);
    expect(refusal(three, table([['constructor'], ['a']]))).to.contain('is not a member');
    expect(refusal(three, table([['a']]))).to.equal(
      '2 shards cannot be placed by 1 lists of replicas.',
    );
  });

  it('places a table as somebody asks, after which the cluster decides no more', () => {
    const wanted = [['c', 'a'], ['b']];
    const command = {
      type: 'placeTable',
      format: 3,
      tableId: 't1',
      wanted,
      growsReplicas: false,
    } as const;
    const state = after([command], whole);
    const next = state.tables['t1'] ?? expect.fail();
    expect(next).to.include({ replicas: 2, growsReplicas: false });
    expect(placementOf(next).epoch).to.equal(2);
    expect(shardsOf(next).map(({ replicas }) => replicas?.wanted)).to.deep.equal(wanted);
    expect(refusal(whole, { ...command, wanted: [['a']] })).to.contain('cannot be placed by 1');
    expect(refusal(whole, { ...command, wanted: [['a'], ['x']] })).to.contain('is not a member');
    for (const bad of [{ wanted: [[], ['a']] }, { growsReplicas: undefined }, { format: 2 }])
      expect(() => readMetadataCommand(JSON.stringify({ ...command, ...bad }))).to.throw(/missing/);
  });

  it('remembers founders that gave their replica away, also when they have one again', () => {
    const departedIn = (state: MetadataState) =>
      shardsOf(state.tables['t1'] ?? expect.fail())[0]?.replicas?.departed;
    const leaving = after([place(['a', 'c'])], whole);
    expect(departedIn(leaving)).to.equal(undefined);
    const left = after([report(['a', 'c'], [])], leaving);
    expect(departedIn(left)).to.deep.equal(['b']);
    expect(departedIn(after([place(['a', 'b', 'c'])], left))).to.deep.equal(['b']);
  });

  it('removes no member that has a replica', () => {
    const remove = (id: string): MetadataCommand => ({ type: 'removeMember', format: 3, id });
    expect(refusal(whole, remove('c'))).to.equal(
      'Node `node-c` has a replica of table `d.t`: move its replicas to other nodes first.',
    );
    expect(refusal(whole, remove('x'))).to.equal('The node is not a member of the cluster.');
    expect(Object.keys(after([remove('c')], three).members ?? {})).to.deep.equal(['a', 'b']);
  });

  it('reads no command whose fields are missing or of another type', () => {
    const bad: readonly object[] = [
      { ...placed, replicas: [] as string[] | undefined, format: 2 },
      { ...placed, replicas: undefined },
      { ...placed, replicas: [[], ['a']] },
      { ...placed, replicas: [['a', 'a'], ['b']] },
      { ...place(['a']), wanted: [] },
      { ...place(['a']), group: 0 },
      { ...report(['a'], []), learners: 'b' },
      { type: 'putMember', member: { id: 'a', name: 'a', roles: [] } },
      { type: 'putMember', format: 3, member: { id: 'a', name: 'a', roles: [1] } },
      { type: 'removeMember', format: 3 },
    ];
    for (const each of bad) {
      const text = JSON.stringify(each);
      expect(() => readMetadataCommand(text), text).to.throw(/missing or of another type/);
    }
  });

  it('gives up all but a survivor, which keeps what it has', () => {
    const state = after([{ type: 'giveUpMembers', format: 3, survivor: 'a' }], whole);
    expect(Object.keys(state.members ?? {})).to.deep.equal(['a']);
    expect(state.givenUp).to.have.members(['b', 'c']);
    const [first, second] = shardsOf(state.tables['t1'] ?? expect.fail());
    expect(first?.replicas).to.deep.equal({
      founders: ['a', 'b'],
      voters: ['a'],
      learners: [],
      wanted: ['a'],
    });
    // The survivor never had a replica of it.
    expect(second?.replicas?.voters).to.have.members(['b', 'c']);
    expect(state.tables['t1']?.growsReplicas).to.equal(true);
    expect(placementOf(state.tables['t1'] ?? expect.fail()).epoch).to.equal(2);
    expect(refusal(state, member('b'))).to.contain('start it with an empty data directory');
    expect(refusal(state, { type: 'giveUpMembers', format: 3, survivor: 'b' })).to.contain(
      'is not a member',
    );
    // Once more changes nothing.
    expect(after([{ type: 'giveUpMembers', format: 3, survivor: 'a' }], state)).to.equal(state);
  });

  it('remembers founders that gave their replica away when members are given up', () => {
    const table = whole.tables['t1'] ?? expect.fail();
    const [shard, ...others] = shardsOf(table);
    if (shard?.replicas === undefined) expect.fail();
    const moved = { ...shard, replicas: { ...shard.replicas, departed: ['b'] } };
    const placement = { epoch: 1, shards: [moved, ...others] };
    const before = { ...whole, tables: { t1: { ...table, placement } } };
    const state = after([{ type: 'giveUpMembers', format: 3, survivor: 'a' }], before);
    const [kept] = shardsOf(state.tables['t1'] ?? expect.fail());
    expect(kept?.replicas?.departed).to.deep.equal(['b']);
  });
});
