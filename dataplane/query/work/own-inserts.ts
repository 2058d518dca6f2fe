import type { QueryMemory } from './memory.ts';

/** Of a key in memory, beside its bytes. */
const keyBytes = 128;

/** A table that a query reads. */
interface ReadTable {
  /** Scans that are open. */
  scans: number;
  /** By its key: how many documents the query had inserted before this one. */
  readonly inserted: Map<string, number>;
}

/** A scan of a table, from its first row on. */
export interface OpenScan {
  /** The rows without those that the query has inserted since the scan began. */
  without<Row extends { readonly key: Uint8Array }>(rows: readonly Row[]): readonly Row[];
  close(): void;
}

/**
 * What a query inserts into a table while it reads that table. Its scans do not meet these documents: a query that
 * copies a table into itself would not end otherwise (the Halloween problem).
 */
export class OwnInserts {
  readonly #memory: QueryMemory;
  /** By the ID of the table. */
  readonly #tables = new Map<string, ReadTable>();

  constructor(memory: QueryMemory) {
    this.#memory = memory;
  }

  opened(tableId: string): OpenScan {
    const table = this.#tables.get(tableId) ?? { scans: 0, inserted: new Map<string, number>() };
    this.#tables.set(tableId, table);
    table.scans += 1;
    const { inserted } = table;
    const before = inserted.size;
    let isOpen = true;
    return {
      without: (rows) =>
        inserted.size === before
          ? rows
          : rows.filter(({ key }) => (inserted.get(nameOf(key)) ?? -1) < before),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        table.scans -= 1;
        if (table.scans === 0) this.#tables.delete(tableId);
      },
    };
  }

  /** A new document: kept while a scan of its table is open. */
  inserted(tableId: string, key: Uint8Array): void {
    const inserted = this.#tables.get(tableId)?.inserted;
    if (inserted === undefined) return;
    this.#memory.charge(keyBytes + key.byteLength);
    inserted.set(nameOf(key), inserted.size);
  }
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
