import type { MetadataState, TableRecord } from '../../metadata/state.ts';
import type { DatabaseInfo, TableInfo } from '../../query/environment.ts';
import type { TableLayout } from './table-layout.ts';

/** What of the catalogue has changed. Plain data. */
export interface CatalogChange {
  /** All of them; undefined when they are as before. */
  readonly databases: readonly DatabaseInfo[] | undefined;
  readonly tables: readonly PublishedTable[];
  readonly dropped: readonly string[];
}

export interface PublishedTable {
  readonly info: TableInfo;
  readonly layout: TableLayout;
}

export interface CatalogSource {
  readonly state: () => MetadataState;
  /** With what is no part of the metadata: progress and failures of indexes, damage. */
  readonly info: (table: TableRecord) => TableInfo;
  /** What is no part of the metadata, as a text: it costs little while that is as before. */
  readonly beside: (table: TableRecord) => string;
  readonly layout: (table: TableRecord, info: TableInfo) => TableLayout;
}

interface Known {
  readonly record: TableRecord;
  readonly database: string;
  readonly beside: string;
}

/**
 * The catalogue for query workers, as a stream of changes. The metadata is immutable, so that tables that are as
 * before cost a comparison.
 */
export class CatalogFeed {
  readonly #source: CatalogSource;
  #databases: MetadataState['databases'] | undefined;
  readonly #known = new Map<string, Known>();

  constructor(source: CatalogSource) {
    this.#source = source;
  }

  /** Everything, for a new worker. */
  whole(): CatalogChange {
    const { databases, tables } = this.#source.state();
    return {
      databases: Object.values(databases),
      tables: Object.values(tables).map((table) => this.#published(table)),
      dropped: [],
    };
  }

  /** What has changed since the last call; undefined when nothing has. */
  changes(): CatalogChange | undefined {
    const { databases, tables } = this.#source.state();
    const records = Object.values(tables);
    const changed = records.filter((record) => this.#note(record, databases));
    const dropped: string[] = [];
    if (this.#known.size > records.length)
      for (const id of this.#known.keys()) if (!Object.hasOwn(tables, id)) dropped.push(id);
    for (const id of dropped) this.#known.delete(id);
    const isSame = databases === this.#databases;
    this.#databases = databases;
    if (isSame && changed.length === 0 && dropped.length === 0) return undefined;
    return {
      databases: isSame ? undefined : Object.values(databases),
      tables: changed.map((record) => this.#published(record)),
      dropped,
    };
  }

  /** Whether a table is another one than at the last call. */
  #note(record: TableRecord, databases: MetadataState['databases']): boolean {
    const database = databases[record.databaseId]?.name ?? '';
    const beside = this.#source.beside(record);
    const before = this.#known.get(record.id);
    if (before?.record === record && before.database === database && before.beside === beside)
      return false;
    this.#known.set(record.id, { record, database, beside });
    return true;
  }

  #published(table: TableRecord): PublishedTable {
    const info = this.#source.info(table);
    return { info, layout: this.#source.layout(table, info) };
  }
}
