import { expect } from 'chai';
import { applyMetadata } from './apply.ts';
import type { MetadataCommand } from './command.ts';
import { emptyState } from './state.ts';
import { databaseByName, tableByName } from './lookup.ts';
import type { MetadataState } from './state.ts';
import { newTable } from './testing/new-table.ts';

function after(commands: readonly MetadataCommand[]): MetadataState {
  return commands.reduce<MetadataState>((state, command) => {
    const result = applyMetadata(state, command);
    if (result.type === 'refused') throw new Error(result.message);
    return result.state;
  }, emptyState);
}

const database: MetadataCommand = { type: 'createDatabase', id: 'd1', name: 'd' };
const table: Extract<MetadataCommand, { type: 'createTable' }> = {
  type: 'createTable',
  table: newTable('t1', { name: 't', databaseId: 'd1' }),
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
    expect(refusal(state, { ...rename, overwrite: false })).to.equal(
      'Index `a` does not exist or index `b` already exists on table `d.t`.',
    );
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

describe('the settings of tables and databases', () => {
  const config = { name: 't', databaseId: 'd1', durability: 'hard', shards: 1 } as const;
  const configure = (change: object): MetadataCommand => ({
    type: 'configureTable',
    tableId: 't1',
    config: { ...config, ...change },
  });
  const second: MetadataCommand = { type: 'createDatabase', id: 'd2', name: 'e' };

  it('renames a table and moves it to another database with its rows and indexes', () => {
    const moved = configure({ name: 'u', databaseId: 'd2', durability: 'soft', shards: 4 });
    const state = after([database, second, table, index('a'), moved]);
    expect(tableByName(state, 'd1', 't')).to.equal(undefined);
    expect(tableByName(state, 'd2', 'u')).to.deep.include({ id: 't1', keyspace: 1, shards: 4 });
    expect(state.tables['t1']?.indexes.map(({ name }) => name)).to.deep.equal(['a']);
  });

  it('refuses names that are taken and databases that are gone', () => {
    const other = { ...table, table: { ...table.table, id: 't2', name: 'u' } };
    const state = after([database, second, table, other]);
    expect(refusal(state, configure({ name: 'u' }))).to.equal(
      "Can't rename table `d.t` to `d.u` because table `d.u` already exists.",
    );
    expect(refusal(state, configure({ databaseId: 'd9' }))).to.equal('The database was dropped.');
    expect(refusal(state, { type: 'renameDatabase', id: 'd1', name: 'e' })).to.equal(
      'Cannot rename database `d` to `e` because database `e` already exists.',
    );
    expect(refusal(state, { type: 'renameDatabase', id: 'd9', name: 'x' })).to.contain('dropped');
  });

  it('makes and drops the index of a TTL field with the setting', () => {
    const on = after([database, table, configure({ expireAt: 'ends' })]);
    expect(on.tables['t1']?.indexes.map(({ system }) => system)).to.deep.equal(['expiry']);
    const off = after([database, table, configure({ expireAt: 'ends' }), configure({})]);
    expect(off.tables['t1']?.indexes).to.deep.equal([]);
    expect(off.garbage).to.deep.equal([{ keyspace: 2, database: 'index' }]);
  });

  it('keeps a write hook until it is removed, through JSON and settings', () => {
    const hook = { format: 1, definition: '[69,[[2,[1,2,3]],[10,[3]]]]' };
    const set: MetadataCommand = { type: 'setWriteHook', tableId: 't1', hook };
    const written = JSON.parse(JSON.stringify(set)) as MetadataCommand;
    const state = after([database, table, written, configure({ name: 'u' })]);
    expect(state.tables['t1']?.writeHook).to.deep.equal(hook);
    const remove: MetadataCommand = { type: 'setWriteHook', tableId: 't1', hook: undefined };
    const removed = JSON.parse(JSON.stringify(remove)) as MetadataCommand;
    const without = after([database, table, written, removed]).tables['t1'];
    expect(without).to.not.have.property('writeHook');
  });
});
