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
  readonly layout: (table: TableRecord, info: TableInfo) => TableLayout;
}

interface Known {
  readonly record: TableRecord;
  readonly database: string;
  readonly derived: string;
}

/**
 * The catalogue for query workers, as a stream of changes. The metadata is immutable, so that tables that are as
 * before cost a comparison.
 */
export class CatalogFeed {
  readonly #source: CatalogSource;
  #databases: MetadataState['databases'] | undefined;
  #known = new Map<string, Known>();

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
    const known = new Map<string, Known>();
    const changed: PublishedTable[] = [];
    for (const record of Object.values(tables)) {
      const published = this.#published(record);
      const { isDamaged, indexes, database } = published.info;
      const versions = published.layout.shards.map(({ version }) => version).join();
      const derived = `${isDamaged} ${versions} ${indexes.length === 0 ? '' : JSON.stringify(indexes)}`;
      const before = this.#known.get(record.id);
      const isSame =
        before?.record === record &&
        before.database === database.name &&
        before.derived === derived;
      if (!isSame) changed.push(published);
      known.set(record.id, isSame ? before : { record, database: database.name, derived });
    }
    const dropped = [...this.#known.keys()].filter((id) => !known.has(id));
    this.#known = known;
    const isSame = databases === this.#databases;
    this.#databases = databases;
    if (isSame && changed.length === 0 && dropped.length === 0) return undefined;
    return { databases: isSame ? undefined : Object.values(databases), tables: changed, dropped };
  }

  #published(table: TableRecord): PublishedTable {
    const info = this.#source.info(table);
    return { info, layout: this.#source.layout(table, info) };
  }
}
