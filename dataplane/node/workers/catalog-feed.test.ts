import { expect } from 'chai';
import { emptyState } from '../../metadata/state.ts';
import type { MetadataState, TableRecord } from '../../metadata/state.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { TableInfo } from '../../query/environment.ts';
import { CatalogFeed } from './catalog-feed.ts';
import { nowhere } from './table-layout.ts';

const record = (id: string): TableRecord => ({ ...newTable(id), keyspace: 1, indexes: [] });
const stateOf = (...ids: readonly string[]): MetadataState => ({
  ...emptyState,
  databases: { d: { id: 'd', name: 'd' } },
  tables: Object.fromEntries(ids.map((id) => [id, record(id)])),
});

class Source {
  state = stateOf('one', 'two');
  readonly beside = new Map<string, string>();
  /** Tables that were described, since the test cleared it. */
  readonly described: string[] = [];
  readonly feed = new CatalogFeed({
    state: () => this.state,
    info: (table) => {
      this.described.push(table.id);
      return { id: table.id } as TableInfo;
    },
    beside: ({ id }) => this.beside.get(id) ?? '',
    layout: () => nowhere,
  });

  /** What the feed says of the changes since the last call. */
  changes(): { readonly tables: readonly string[]; readonly dropped: readonly string[] } {
    this.described.length = 0;
    const { tables = [], dropped = [] } = this.feed.changes() ?? {};
    return { tables: tables.map(({ info }) => info.id), dropped };
  }
}

const begun = (): Source => {
  const source = new Source();
  expect(source.changes()).to.deep.equal({ tables: ['one', 'two'], dropped: [] });
  return source;
};

describe('the changes of the catalogue', () => {
  it('are nothing, and describe no table, while all of it is as before', () => {
    const source = begun();
    expect(source.feed.changes()).to.equal(undefined);
    source.state = { ...source.state };
    expect(source.changes()).to.deep.equal({ tables: [], dropped: [] });
    expect(source.described).to.deep.equal([]);
  });

  it('have a table whose record is another one, once', () => {
    const source = begun();
    source.state = { ...source.state, tables: { ...source.state.tables, two: record('two') } };
    expect(source.changes()).to.deep.equal({ tables: ['two'], dropped: [] });
    expect(source.described).to.deep.equal(['two']);
    expect(source.feed.changes()).to.equal(undefined);
  });

  it('have a table of which something else has changed, and one whose change is over', () => {
    const source = begun();
    source.beside.set('one', 'damaged');
    expect(source.changes().tables).to.deep.equal(['one']);
    source.beside.delete('one');
    expect(source.changes().tables).to.deep.equal(['one']);
    expect(source.feed.changes()).to.equal(undefined);
  });

  it('have the tables of a database that has another name', () => {
    const source = begun();
    source.state = { ...source.state, databases: { d: { id: 'd', name: 'e' } } };
    const change = source.feed.changes();
    expect(change?.databases).to.deep.equal([{ id: 'd', name: 'e' }]);
    expect(change?.tables.map(({ info }) => info.id)).to.deep.equal(['one', 'two']);
    expect(source.feed.changes()).to.equal(undefined);
  });

  it('have tables that are dropped, and those that have their IDs later', () => {
    const source = begun();
    const { state } = source;
    source.state = stateOf('three');
    expect(source.changes()).to.deep.equal({ tables: ['three'], dropped: ['one', 'two'] });
    source.state = state;
    expect(source.changes()).to.deep.equal({ tables: ['one', 'two'], dropped: ['three'] });
  });
});
