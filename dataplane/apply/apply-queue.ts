import type { MetadataState } from '../metadata/state.ts';
import type { Command } from '../table/command.ts';
import type { SessionChange } from '../table/session-table.ts';
import type { KeyspaceStatistics } from '../table/row-sum.ts';

/** What a keyspace holds at one position of the log. */
export interface KeyspaceSum extends KeyspaceStatistics {
  readonly keyspace: number;
}

/** What the log has committed and the store has not. */
export type ApplyItem =
  | {
      readonly type: 'table';
      readonly group: number;
      readonly index: number;
      readonly term: number;
      readonly command: Command;
      /**
       * `written`: by this process, of documents that were checked. `replicated`: by another one, as they were.
       * `replayed`: read from the log.
       * `parked`: it was in quarantine, and its position was taken long ago.
       */
      readonly origin: 'written' | 'replicated' | 'replayed' | 'parked';
      /** What it changes of the sessions of its group. */
      readonly session?: SessionChange | undefined;
      /** Called when the store shows it. */
      applied(): void;
      /** The replicas of the group are compared here: called with what this one has, the rows first. */
      readonly compared?: ((sums: readonly KeyspaceSum[]) => void) | undefined;
    }
  | {
      /** An entry of a table in quarantine. */
      readonly type: 'quarantined';
      readonly group: number;
      readonly index: number;
      readonly term: number;
      readonly kind: number;
      readonly payload: Uint8Array;
    }
  | {
      readonly type: 'metadata';
      readonly index: number;
      readonly term: number;
      readonly state: MetadataState;
    }
  | {
      /** It takes a position, and changes nothing of a table. */
      readonly type: 'passed';
      readonly group: number;
      readonly index: number;
      readonly term: number;
      /** The payload of an entry that says who the members of the group are. */
      readonly configuration?: Uint8Array;
    };

/** Work is counted in operations: commands have up to thousands of them, and a position is work, too. */
export const operationsOf = (item: ApplyItem): number =>
  item.type === 'table' ? Math.max(1, item.command.operations.length) : 1;

function bytesOf(item: ApplyItem): number {
  if (item.type === 'metadata' || item.type === 'passed') return 0;
  if (item.type === 'quarantined') return item.payload.byteLength;
  return item.command.operations.reduce((sum, { body }) => sum + (body?.byteLength ?? 0), 0);
}

/** Entries in the order of the log, with the work that they are. */
export class ApplyQueue {
  readonly #items: ApplyItem[] = [];
  #operations = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length;
  }

  get operations(): number {
    return this.#operations;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: ApplyItem): void {
    this.#items.push(item);
    this.#operations += operationsOf(item);
    this.#bytes += bytesOf(item);
  }

  [Symbol.iterator](): Iterator<ApplyItem> {
    return this.#items.values();
  }

  /** Takes out the first entries. */
  take(count: number): ApplyItem[] {
    const taken = this.#items.splice(0, count);
    for (const item of taken) {
      this.#operations -= operationsOf(item);
      this.#bytes -= bytesOf(item);
    }
    return taken;
  }

  clear(): void {
    this.#items.length = 0;
    this.#operations = 0;
    this.#bytes = 0;
  }
}
