import { expect } from 'chai';
import { applyMetadata } from './apply.ts';
import type { MetadataCommand } from './apply.ts';
import { databaseByName, emptyState, tableByName } from './state.ts';
import type { MetadataState } from './state.ts';

const options = {
  primaryKey: 'id',
  durability: 'hard',
  shards: 1,
  replicas: 1,
  replication: 'sync',
  partition: 'hash',
} as const;

function after(commands: readonly MetadataCommand[]): MetadataState {
  return commands.reduce<MetadataState>((state, command) => {
    const result = applyMetadata(state, command);
    if (result.type === 'refused') throw new Error(result.message);
    return result.state;
  }, emptyState);
}

const database: MetadataCommand = { type: 'createDatabase', id: 'd1', name: 'd' };
const table: MetadataCommand = {
  type: 'createTable',
  table: { id: 't1', name: 't', databaseId: 'd1', ...options },
};
const index = (name: string): MetadataCommand => ({
  type: 'createIndex',
  tableId: 't1',
  index: { name, multi: false, geo: false, definition: '[]' },
});

const refusal = (state: MetadataState, command: MetadataCommand): string => {
  const result = applyMetadata(state, command);
  return result.type === 'refused' ? result.message : 'applied';
};

describe('the metadata state machine', () => {
  it('gives every table and index a keyspace that is never used again', () => {
    const first = after([database, table, index('a')]);
    expect(first.tables['t1']?.keyspace).to.equal(1);
    expect(first.tables['t1']?.indexes[0]?.keyspace).to.equal(2);
    const again = after([database, table, index('a'), { type: 'dropTable', id: 't1' }, table]);
    expect(again.tables['t1']?.keyspace).to.equal(3);
  });

  it('finds databases and tables by name', () => {
    const state = after([database, table]);
    expect(databaseByName(state, 'd')?.id).to.equal('d1');
    expect(tableByName(state, 'd1', 't')?.id).to.equal('t1');
    expect(tableByName(state, 'd1', 'other')).to.equal(undefined);
  });

  it('refuses what exists and what does not, by sentences that name it', () => {
    const state = after([database, table, index('a'), index('b')]);
    expect(refusal(state, database)).to.equal('Database `d` already exists.');
    expect(refusal(state, table)).to.equal('Table `d.t` already exists.');
    expect(refusal(state, index('a'))).to.equal('Index `a` already exists on table `d.t`.');
    expect(refusal(state, { type: 'dropDatabase', name: 'x' })).to.equal(
      'Database `x` does not exist.',
    );
    expect(refusal(state, { type: 'dropIndex', tableId: 't1', name: 'x' })).to.equal(
      'Index `x` does not exist on table `d.t`.',
    );
    const rename = { type: 'renameIndex', tableId: 't1', from: 'a', to: 'b' } as const;
    expect(refusal(state, { ...rename, overwrite: false })).to.contain('already exists');
    expect(refusal(state, { ...rename, overwrite: true })).to.equal('applied');
  });

  it('leaves what was dropped as garbage until it is cleared', () => {
    const state = after([database, table, index('a'), { type: 'dropDatabase', name: 'd' }]);
    expect(state.tables).to.deep.equal({});
    expect(state.garbage).to.deep.equal([
      { keyspace: 1, database: 'data' },
      { keyspace: 2, database: 'index' },
    ]);
    const result = applyMetadata(state, { type: 'cleared', keyspace: 1 });
    expect(result.type === 'applied' && result.state.garbage.length).to.equal(1);
  });

  it('changes nothing of the state that it was given', () => {
    const state = after([database, table]);
    const before = JSON.stringify(state);
    applyMetadata(state, index('a'));
    applyMetadata(state, { type: 'dropTable', id: 't1' });
    expect(JSON.stringify(state)).to.equal(before);
  });
});
