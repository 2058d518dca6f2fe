import { decodeUtf8, nameOfBytes } from '../common/bytes.ts';
import type { WriteTransaction } from '../kv/store.ts';
import type { Command, Operation } from './command.ts';
import { decodeDocument, encodeEnvelope, keyspaceKey } from './envelope.ts';
import { indexEntryKey, indexEntryValue } from './index-entry.ts';
import type { StatisticsChange } from './statistics.ts';

/**
 * Rows, index entries and counters change together, from a command of the log and nothing else: the
 * same commands on the same state give the same bytes on every replica.
 */
export type IndexFunction = (documentText: string) => readonly Uint8Array[];

export interface AppliedIndex {
  readonly keyspace: number;
  readonly keysOf: IndexFunction;
}

export interface Change {
  readonly key: Uint8Array;
  /** Canonical text before and after; undefined when there was or is no document. */
  readonly old: string | undefined;
  readonly new: string | undefined;
}

export interface ApplyTarget {
  readonly transaction: WriteTransaction;
  readonly indexes: readonly AppliedIndex[];
  readonly statistics: StatisticsChange;
}

/** Applies a command; an operation whose expectation does not hold changes nothing and is left out. */
export function applyCommand(command: Command, target: ApplyTarget): Change[] {
  const changes: Change[] = [];
  for (const operation of command.operations) {
    const change = applyOperation(command, operation, target);
    if (change !== undefined) changes.push(change);
  }
  return changes;
}

function applyOperation(
  command: Command,
  operation: Operation,
  target: ApplyTarget,
): Change | undefined {
  const { transaction, statistics } = target;
  const storedKey = keyspaceKey(command.keyspace, operation.key);
  const before = transaction.get('data', storedKey);
  const stored = before === undefined ? undefined : decodeDocument(storedKey, before);
  if ((stored?.version ?? 0) !== operation.expectedVersion) return undefined;
  const old = stored?.text;
  const next = operation.body === undefined ? undefined : decodeUtf8(operation.body);
  if (before !== undefined) statistics.subtract(storedKey, before);
  if (operation.body === undefined) {
    transaction.remove('data', storedKey);
  } else {
    const value = encodeEnvelope(storedKey, { version: command.version, body: operation.body });
    transaction.put('data', storedKey, value);
    statistics.add(storedKey, value);
  }
  for (const index of target.indexes)
    moveEntries(transaction, index, { key: operation.key, old, new: next });
  return { key: operation.key, old, new: next };
}

function moveEntries(transaction: WriteTransaction, index: AppliedIndex, change: Change): void {
  const old = change.old === undefined ? [] : index.keysOf(change.old);
  const next = change.new === undefined ? [] : index.keysOf(change.new);
  for (const indexKey of without(old, next)) {
    transaction.remove('index', indexEntryKey(index.keyspace, indexKey, change.key));
  }
  const indexKeys = without(next, old);
  putEntries(transaction, index.keyspace, { primaryKey: change.key, indexKeys });
}

/** What is in `keys` and not in `others`. */
function without(
  keys: readonly Uint8Array[],
  others: readonly Uint8Array[],
): readonly Uint8Array[] {
  if (keys.length === 0 || others.length === 0) return keys;
  const names = new Set(others.map(nameOfBytes));
  return keys.filter((key) => !names.has(nameOfBytes(key)));
}

/** Writes the entries of a document; putting one that is there changes nothing. */
export function putEntries(
  transaction: WriteTransaction,
  keyspace: number,
  entries: { readonly primaryKey: Uint8Array; readonly indexKeys: readonly Uint8Array[] },
): void {
  for (const indexKey of entries.indexKeys) {
    const key = indexEntryKey(keyspace, indexKey, entries.primaryKey);
    transaction.put('index', key, indexEntryValue(indexKey));
  }
}
