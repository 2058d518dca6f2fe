import { compareBytes } from '../common/bytes.ts';
import type { Entry, ReadTransaction, Visit } from '../kv/store.ts';
import { keyspaceKey } from './envelope.ts';
import { storedRange } from './key-range.ts';

/** What is left of a keyspace in a walk over several. */
interface Rest {
  readonly entries: Iterator<Entry>;
  next: Entry | undefined;
}

const keyspaceBytes = 4;

/**
 * Visits rows of several keyspaces as if they were one, in the order of their keys from `start` on, until `visit`
 * answers false. Stored keys are visited, keyspace included; no key is in two of them.
 */
export function walkMerged(
  view: ReadTransaction,
  keyspaces: readonly number[],
  start: Uint8Array,
  visit: Visit,
): void {
  const [only] = keyspaces;
  if (keyspaces.length === 1 && only !== undefined) {
    const { end } = storedRange(only, {}, 'ascending');
    view.walk('data', { start: keyspaceKey(only, start), end }, visit);
    return;
  }
  const rests = keyspaces.map((keyspace): Rest => {
    const range = storedRange(keyspace, { start }, 'ascending');
    const entries = view.entries('data', range)[Symbol.iterator]();
    return { entries, next: nextOf(entries) };
  });
  try {
    for (;;) {
      const first = firstOf(rests);
      if (first?.next === undefined) return;
      const { key, value } = first.next;
      first.next = nextOf(first.entries);
      if (!visit(key, value)) return;
    }
  } finally {
    for (const { entries } of rests) entries.return?.();
  }
}

function nextOf(entries: Iterator<Entry>): Entry | undefined {
  const { done, value } = entries.next();
  return done === true ? undefined : value;
}

function firstOf(rests: readonly Rest[]): Rest | undefined {
  let first: Rest | undefined;
  for (const rest of rests) {
    if (rest.next === undefined) continue;
    const isBefore =
      first?.next === undefined ||
      compareBytes(rest.next.key.subarray(keyspaceBytes), first.next.key.subarray(keyspaceBytes)) <
        0;
    if (isBefore) first = rest;
  }
  return first;
}
