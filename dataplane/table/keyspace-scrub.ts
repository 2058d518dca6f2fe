import { equalBytes, fromHex, nameOfBytes, successor, toHex } from '../common/bytes.ts';
import type { DatabaseName, Entry, KeyRange, ReadTransaction } from '../kv/store.ts';
import { entriesOf } from './apply.ts';
import type { AppliedIndex } from './apply.ts';
import { decodeDocument, keyspaceKey } from './envelope.ts';
import { StorageCorruptError } from './errors.ts';
import { decodeIndexEntry } from './index-entry.ts';
import { KeyspaceWalk } from './keyspace-walk.ts';
import { findStatistics, isToRecount } from './statistics.ts';
import type { KeyspaceStatistics } from './row-sum.ts';

/**
 * Looks at every row of a keyspace, in slices between which it may change: whether the row is what was
 * written, whether a lookup finds it, whether documents and index entries agree, and in the end
 * whether there are as many as were written.
 */
export interface Finding {
  /** Whose rows cannot be trusted: damage of an index can be met in the rows of its table. */
  readonly keyspace: number;
  readonly what: string;
  /** The key of the one document that is damaged; all others can be trusted. */
  readonly document?: Uint8Array;
}

export interface RowsOfTable {
  readonly type: 'table';
  readonly keyspace: number;
  /** Why a stored value that is whole is no document of its key; undefined for one. */
  problemOf(text: string, key: Uint8Array): string | undefined;
  /** Those that are ready. */
  readonly indexes: readonly AppliedIndex[];
}

export interface EntriesOfIndex {
  readonly type: 'index';
  readonly keyspace: number;
  readonly tableKeyspace: number;
  readonly index: AppliedIndex;
}

export type ScrubTarget = RowsOfTable | EntriesOfIndex;

export interface SliceLimit {
  readonly rows: number;
  /** Asked after each row. */
  isOver(): boolean;
}

/** More would say nothing new. */
const findingsMax = 20;
/** Documents that are named; the others are counted. */
const documentsNamedMax = 100;

export class KeyspaceScrub {
  readonly target: ScrubTarget;
  readonly walk = new KeyspaceWalk();
  readonly findings: Finding[] = [];
  readonly seen = { rows: 0, bytes: 0, damagedDocuments: 0, invalidDocuments: 0 };

  /** Findings that are about more than one document. */
  #structural = 0;

  constructor(target: ScrubTarget) {
    this.target = target;
  }

  /** Reads the next rows; false at the end of the keyspace, or if it is too damaged to continue. */
  slice(view: ReadTransaction, limit: SliceLimit): boolean {
    let rows = 0;
    let isOver = false;
    for (const row of view.entries(this.#database, { ...this.#rest(), limit: limit.rows })) {
      rows += 1;
      this.seen.rows += 1;
      this.seen.bytes += row.key.byteLength + row.value.byteLength;
      if (!this.walk.take(row.key, row.value)) {
        this.#found(`its keys are not in order at ${toHex(row.key)}`);
        return false;
      }
      this.#look(view, row);
      if (this.#structural >= findingsMax) return false;
      isOver = limit.isOver();
      if (isOver) break;
    }
    if (isOver || rows === limit.rows) return true;
    const { keyspace } = this.target;
    if (!isToRecount(view, keyspace)) this.#compare(findStatistics(view, keyspace));
    return false;
  }

  /**
   * Sums that are to be written once all of it was found whole: of an index that a release before this
   * one left uncounted, and of a table in which a document took the place of a damaged one.
   */
  uncounted(view: ReadTransaction): KeyspaceStatistics | undefined {
    const { type, keyspace } = this.target;
    const isUncounted =
      isToRecount(view, keyspace) ||
      (type === 'index' && findStatistics(view, keyspace) === undefined);
    return isUncounted && this.findings.length === 0 ? this.walk.total : undefined;
  }

  /** The store itself could not read on. */
  failed(error: Error): void {
    this.#found(`it cannot be read on: ${error.message}`);
  }

  get #database(): DatabaseName {
    return this.target.type === 'table' ? 'data' : 'index';
  }

  #rest(): KeyRange {
    const { last } = this.walk;
    const { keyspace } = this.target;
    const none = new Uint8Array();
    return {
      start: last === undefined ? keyspaceKey(keyspace, none) : successor(last),
      end: keyspaceKey(keyspace + 1, none),
    };
  }

  #look(view: ReadTransaction, row: Entry): void {
    const looked = view.peek(this.#database, row.key);
    if (looked === undefined || !equalBytes(looked, row.value)) {
      this.#found(`a lookup does not find its key ${toHex(row.key)}`);
    }
    try {
      if (this.target.type === 'table') this.#lookAtDocument(view, row, this.target);
      else this.#lookAtEntry(view, row, this.target);
    } catch (error) {
      if (!(error instanceof StorageCorruptError)) throw error;
      const what = `the value of its key ${error.keyHex} is damaged: ${error.what}`;
      this.seen.damagedDocuments += 1;
      this.#foundDocument(error.keyspace, what, fromHex(error.keyHex));
    }
  }

  #lookAtDocument(view: ReadTransaction, { key, value }: Entry, target: RowsOfTable): void {
    const { indexes } = target;
    const { text } = decodeDocument(key, value);
    const problem = target.problemOf(text, key.subarray(4));
    if (problem !== undefined) {
      this.seen.invalidDocuments += 1;
      const what = `the value of its key ${toHex(key.subarray(4))} is no document (${problem.replace(/[.]$/, '')})`;
      this.#foundDocument(target.keyspace, what, key.slice(4));
    }
    for (const index of indexes) {
      for (const entry of entriesOf(index, key.subarray(4), text).values()) {
        const found = view.peek('index', entry.key);
        if (found !== undefined && equalBytes(found, entry.value)) continue;
        this.#found(`it lacks the entry ${toHex(entry.key)} of a document`, index.keyspace);
      }
    }
  }

  #lookAtEntry(view: ReadTransaction, { key, value }: Entry, target: EntriesOfIndex): void {
    const { primaryKey } = decodeIndexEntry(key, value);
    const storedKey = keyspaceKey(target.tableKeyspace, primaryKey);
    const stored = view.get('data', storedKey);
    const text = stored === undefined ? undefined : decodeDocument(storedKey, stored).text;
    const wanted = entriesOf(target.index, primaryKey, text).get(nameOfBytes(key));
    if (wanted !== undefined && equalBytes(wanted.value, value)) return;
    this.#found(`it has an entry ${toHex(key)} that no document has`);
  }

  #compare(wanted: KeyspaceStatistics | undefined): void {
    const { count, bytes, hash } = this.walk.total;
    if (wanted === undefined && (count === 0 || this.target.type === 'index')) return;
    // What a damaged value was counted as stands in the value; how many there are does not change.
    const isHashKnown = this.seen.damagedDocuments === 0;
    const isSame = wanted?.count === count && wanted.bytes === bytes;
    if (isSame && (!isHashKnown || wanted.hash === hash)) return;
    this.#found(
      `it has ${count} rows of ${bytes} bytes with the hash ${hash}, and should have ` +
        `${wanted?.count ?? 0} of ${wanted?.bytes ?? 0} with ${wanted?.hash ?? 0}`,
    );
  }

  #found(what: string, keyspace = this.target.keyspace): void {
    this.#structural += 1;
    this.findings.push({ keyspace, what });
  }

  #foundDocument(keyspace: number, what: string, document: Uint8Array): void {
    const { damagedDocuments, invalidDocuments } = this.seen;
    if (damagedDocuments + invalidDocuments > documentsNamedMax) return;
    this.findings.push({ keyspace, what, document });
  }
}
