import { decodeUtf8, nameOfBytes } from '../common/bytes.ts';
import type { Entry, WriteTransaction } from '../kv/store.ts';
import { anyVersion } from './command.ts';
import type { Command, Operation } from './command.ts';
import { encodeEnvelope, keyspaceKey, textOf, verifyEnvelope } from './envelope.ts';
import { StorageCorruptError } from './errors.ts';
import { indexEntryKey, indexEntryValue } from './index-entry.ts';
import type { StatisticsChange, StatisticsChanges } from './statistics.ts';

/**
 * Rows, index entries and counters change together, from a command of the log and nothing else: the
 * same commands on the same state give the same bytes on every replica.
 */
/** Never throws: its provider handles an index whose function throws. */
export type IndexFunction = (documentText: string) => readonly Uint8Array[];

export interface AppliedIndex {
  readonly keyspace: number;
  readonly keysOf: IndexFunction;
}

export interface Change {
  readonly key: Uint8Array;
  /** Of the new document; undefined when there is none. */
  readonly body: Uint8Array | undefined;
  /** The former value was damaged: its index entries and its statistics are unknown. */
  readonly replacesDamage: boolean;
}

export interface ApplyTarget {
  readonly transaction: WriteTransaction;
  readonly indexes: readonly AppliedIndex[];
  readonly statistics: StatisticsChanges;
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
  const { transaction } = target;
  const statistics = target.statistics.ofTable(command.keyspace);
  const storedKey = keyspaceKey(command.keyspace, operation.key);
  const before = transaction.get('data', storedKey);
  const version = before === undefined ? 0 : versionOrDamage(storedKey, before);
  const replacesDamage = version === damaged;
  // Operations are in the order in which they were evaluated: what is damaged now was as expected.
  const holds =
    replacesDamage ||
    operation.expectedVersion === anyVersion ||
    version === operation.expectedVersion;
  if (!holds) return undefined;
  if (before !== undefined) statistics.subtract(storedKey, before);
  if (operation.body === undefined) {
    transaction.remove('data', storedKey);
  } else {
    const value = encodeEnvelope(storedKey, { version: command.version, body: operation.body });
    transaction.put('data', storedKey, value);
    statistics.add(storedKey, value);
  }
  const { key, body } = operation;
  if (target.indexes.length > 0) {
    const old = before === undefined || replacesDamage ? undefined : textOf(before);
    moveAllEntries(target, { key, old, new: body === undefined ? undefined : decodeUtf8(body) });
  }
  return { key, body, replacesDamage };
}

const damaged = Symbol('damaged');

function versionOrDamage(storedKey: Uint8Array, value: Uint8Array): number | typeof damaged {
  try {
    return verifyEnvelope(storedKey, value);
  } catch (error) {
    if (error instanceof StorageCorruptError) return damaged;
    throw error;
  }
}

interface IndexPlace {
  readonly transaction: WriteTransaction;
  readonly index: AppliedIndex;
  readonly statistics: StatisticsChange;
}

/** A document before and after: undefined when there was or is none. */
interface Texts {
  readonly key: Uint8Array;
  readonly old: string | undefined;
  readonly new: string | undefined;
}

function moveAllEntries({ transaction, indexes, statistics }: ApplyTarget, texts: Texts): void {
  for (const index of indexes) {
    const place = { transaction, index, statistics: statistics.ofIndex(index.keyspace) };
    moveEntries(place, texts);
  }
}

function moveEntries(place: IndexPlace, change: Texts): void {
  const { transaction, index, statistics } = place;
  const old = entriesOf(index, change.key, change.old);
  const next = entriesOf(index, change.key, change.new);
  for (const [name, entry] of old) {
    if (next.has(name) || !transaction.remove('index', entry.key)) continue;
    statistics.subtract(entry.key, entry.value);
  }
  for (const [name, entry] of next) {
    if (old.has(name)) continue;
    transaction.put('index', entry.key, entry.value);
    statistics.add(entry.key, entry.value);
  }
}

/** The entries of a document, each once, by their keys: some keys are equal when they are cut. */
export function entriesOf(
  index: AppliedIndex,
  primaryKey: Uint8Array,
  text: string | undefined,
): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  if (text === undefined) return entries;
  for (const indexKey of index.keysOf(text)) {
    const key = indexEntryKey(index.keyspace, indexKey, primaryKey);
    entries.set(nameOfBytes(key), { key, value: indexEntryValue(indexKey) });
  }
  return entries;
}

export type CompileIndex = (
  definition: string,
  multi: boolean,
  geo: boolean,
  /** Called with each document that has no entry because the function could not be evaluated on it. */
  failed?: (error: unknown) => void,
) => IndexFunction;
