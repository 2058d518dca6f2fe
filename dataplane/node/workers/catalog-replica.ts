import type { Catalog, DatabaseInfo, TableInfo } from '../../query/environment.ts';
import type { CatalogChange } from './catalog-feed.ts';
import { LocatedTable } from './table-layout.ts';

/** The catalogue as a query worker knows it: the core sends what changes, before it answers who has changed it. */
type Reads = Pick<Catalog, 'databases' | 'database' | 'tables' | 'table' | 'tableById'>;

const pathOf = (databaseId: string, name: string): string => `${databaseId} ${name}`;

export class CatalogReplica implements Reads {
  #databases: readonly DatabaseInfo[] = [];
  readonly #tables = new Map<string, TableInfo>();
  readonly #located = new Map<string, LocatedTable>();
  readonly #byPath = new Map<string, TableInfo>();

  apply({ databases, tables, dropped }: CatalogChange): void {
    if (databases !== undefined) this.#databases = databases;
    for (const id of dropped) this.#forget(id);
    for (const { info } of tables) this.#forget(info.id);
    for (const { info, layout } of tables) {
      this.#tables.set(info.id, info);
      this.#byPath.set(pathOf(info.database.id, info.name), info);
      this.#located.set(info.id, new LocatedTable(info.id, layout));
    }
  }

  /** Of all tables. */
  get ids(): readonly string[] {
    return [...this.#tables.keys()];
  }

  databases(): readonly DatabaseInfo[] {
    return this.#databases;
  }

  database(name: string): DatabaseInfo | undefined {
    return this.#databases.find((each) => each.name === name);
  }

  tables(databaseId: string): readonly TableInfo[] {
    return [...this.#tables.values()].filter(({ database }) => database.id === databaseId);
  }

  table(databaseId: string, name: string): TableInfo | undefined {
    return this.#byPath.get(pathOf(databaseId, name));
  }

  tableById(id: string): TableInfo | undefined {
    return this.#tables.get(id);
  }

  /** Where the store has the table. */
  located(id: string): LocatedTable | undefined {
    return this.#located.get(id);
  }

  #forget(id: string): void {
    const table = this.#tables.get(id);
    if (table === undefined) return;
    this.#tables.delete(id);
    this.#located.delete(id);
    this.#byPath.delete(pathOf(table.database.id, table.name));
  }
}
