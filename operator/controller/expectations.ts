/**
 * What this process has just done and its caches do not show yet: objects deleted, by UID, and
 * objects written, by generation. While something is outstanding for a reconcile key, a decision
 * on the caches would be made on the past (one more pod deleted, a second one created), so the
 * reconciler waits. Pure.
 */
import type { CachedObject } from './object.ts';
import { keyOf } from './object.ts';
import { isOlder } from './resource-version.ts';

/** The object of a kind and name as the cache shows it now. */
export type Lookup = (kind: string, key: string) => CachedObject | undefined;

interface Expectation {
  readonly action: 'deleted' | 'written';
  readonly kind: string;
  readonly key: string;
  /** As the server answered it. */
  readonly object: CachedObject;
  readonly sinceMs: number;
}

/**
 * Whatever has not come by then will not come: the object may have been made and removed between
 * two listings. Longer than any cache lags behind a living server.
 */
const waitMaxMs = 5 * 60_000;

export class Expectations {
  readonly #byOwner = new Map<string, Map<string, Expectation>>();

  /** `owner` is the reconcile key that waits until the cache no longer shows this object alive. */
  deleted(owner: string, kind: string, object: CachedObject, nowMs: number): void {
    this.#expect(owner, { action: 'deleted', kind, object }, nowMs);
  }

  /** `owner` waits until the cache shows this object, as the server returned it, or a later state. */
  written(owner: string, kind: string, object: CachedObject, nowMs: number): void {
    this.#expect(owner, { action: 'written', kind, object }, nowMs);
  }

  /** What is still outstanding, as words for a log; empty when the caches may be trusted. */
  outstanding(owner: string, lookup: Lookup, nowMs: number): readonly string[] {
    const expected = this.#byOwner.get(owner);
    if (expected === undefined) return [];
    const words: string[] = [];
    for (const [id, expectation] of expected) {
      const { action, kind, key, sinceMs } = expectation;
      const isOver = nowMs - sinceMs > waitMaxMs || isMet(expectation, lookup(kind, key));
      if (isOver) expected.delete(id);
      else words.push(`${kind} ${key} to be seen ${action}`);
    }
    if (expected.size === 0) this.#byOwner.delete(owner);
    return words;
  }

  /** The owner is gone. */
  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }

  /** Keys for which something is outstanding, as far as anybody has looked. */
  get size(): number {
    return this.#byOwner.size;
  }

  /** The last thing done to an object is the one that counts. */
  #expect(
    owner: string,
    what: Pick<Expectation, 'action' | 'kind' | 'object'>,
    sinceMs: number,
  ): void {
    const key = keyOf(what.object.metadata);
    const expected = this.#byOwner.get(owner) ?? new Map<string, Expectation>();
    expected.set(`${what.kind}\n${what.object.metadata.uid}`, { ...what, key, sinceMs });
    this.#byOwner.set(owner, expected);
  }
}

function isMet({ action, object }: Expectation, seen: CachedObject | undefined): boolean {
  if (action === 'deleted') {
    if (seen === undefined || seen.metadata.uid !== object.metadata.uid) return true;
    return seen.metadata.deletionTimestamp !== undefined;
  }
  if (seen === undefined) return false;
  const { uid, generation, resourceVersion } = object.metadata;
  // Another object under the name is either the one before, or one that came later.
  if (seen.metadata.uid !== uid || generation === undefined) {
    return !isOlder(seen.metadata.resourceVersion, resourceVersion);
  }
  return (seen.metadata.generation ?? 0) >= generation;
}
