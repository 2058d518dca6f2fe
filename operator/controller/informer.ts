/**
 * Keeps a cache of all objects of one kind up to date: lists, then watches from the listing's
 * version, resumes a watch that ends, and lists again when the watch cannot be trusted any more.
 * No answer of the server ends the loop; only `stop` does. Handlers are called with changes after the
 * cache contains them; they only enqueue keys, and their exceptions are contained.
 *
 * Invariant: one loop at most touches the cache. A loop that was stopped, and is still waiting
 * for an answer, finds its own signal aborted and touches nothing.
 */
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import type { CachedObject } from './object.ts';
import { keyOf } from './object.ts';
import type { Change } from './object-cache.ts';
import { ObjectCache } from './object-cache.ts';

export type SourceEvent<T extends CachedObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** Where the objects come from. */
export interface ListWatch<T extends CachedObject> {
  list(
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }>;
  /** The changes after a version. A normal end means: resume from the last observed version. */
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<SourceEvent<T>>;
  /** Whether a watch that failed this way can resume from its last version, and the requested delay. */
  recovery(error: unknown): { readonly resume: boolean; readonly pauseMs: number };
}

export type InformerObservation =
  /** `missed`: objects that the watch should have brought before this listing did. */
  | { readonly type: 'listed'; readonly objects: number; readonly missed: number }
  | { readonly type: 'watching' }
  | { readonly type: 'event' }
  | {
      readonly type: 'failed';
      readonly during: 'list' | 'watch' | 'handler';
      readonly error: unknown;
    };

export interface InformerOptions<T extends CachedObject> {
  readonly source: ListWatch<T>;
  readonly clock: Clock;
  readonly random: () => number;
  /** Labels whose values are looked up by `labelled`. */
  readonly indexedLabels?: readonly string[];
  /** Pause between listings although the watch seems well; jittered by a fifth. */
  readonly relistMs?: number;
  readonly observe?: (observation: InformerObservation) => void;
}

/** A missed event would otherwise live as long as the process; a list each half hour costs nothing. */
const relistDefaultMs = 30 * 60_000;

const backoffLimits = { firstMs: 200, maxMs: 30_000 };

/** A watch that fails so often in a row without an event is not resumed; the informer lists again. */
const resumesMax = 3;

/** A watch that ends sooner without an event counts as a failure: else the loop would run hot. */
const shortWatchMs = 1_000;

export class Informer<T extends CachedObject> {
  readonly #options: InformerOptions<T>;
  readonly #cache: ObjectCache<T>;
  readonly #handlers = new Set<(change: Change<T>) => void>();
  readonly #syncWaiters = new Set<() => void>();
  #stopper: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #hasSynced = false;
  #watchedTo: string | undefined;
  #contactAt: number;
  #relistAt = 0;
  #isWatchAlive = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#cache = new ObjectCache<T>(options.indexedLabels ?? []);
    this.#contactAt = options.clock.now();
  }

  /** Starts the loop; does nothing while it runs. */
  start(): void {
    if (this.#stopper !== undefined) return;
    const stopper = new AbortController();
    this.#stopper = stopper;
    const before = this.#loop;
    this.#loop = before.then(() => this.#run(stopper.signal));
  }

  /** Ends the loop and its watch; the cache stays as it is. Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopper?.abort();
    this.#stopper = undefined;
    await this.#loop;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Milliseconds since the last sign of life of the server: an event, a bookmark, a listing. */
  get contactAgeMs(): number {
    return this.#options.clock.now() - this.#contactAt;
  }

  get size(): number {
    return this.#cache.size;
  }

  /** Resolves with true once the cache has held a complete listing; with false on abort. */
  synced(signal: AbortSignal): Promise<boolean> {
    if (this.#hasSynced || signal.aborted) return Promise.resolve(this.#hasSynced);
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#syncWaiters.delete(settle);
        signal.removeEventListener('abort', settle);
        resolve(this.#hasSynced);
      };
      this.#syncWaiters.add(settle);
      signal.addEventListener('abort', settle, { once: true });
    });
  }

  /** Tells of all objects there are and of each change from now on; the function returned ends it. */
  onChange(handler: (change: Change<T>) => void): () => void {
    this.#handlers.add(handler);
    for (const object of this.#cache.all()) {
      this.#tell(handler, { type: 'added', key: keyOf(object.metadata), object });
    }
    return () => this.#handlers.delete(handler);
  }

  get(key: string): T | undefined {
    return this.#cache.get(key);
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? this.#cache.all() : this.#cache.inNamespace(namespace);
  }

  /** Objects with an owner reference to this UID. */
  ownedBy(uid: string): readonly T[] {
    return this.#cache.ownedBy(uid);
  }

  /** Objects with this label; only for labels named in `indexedLabels`. */
  labelled(name: string, value: string): readonly T[] {
    return this.#cache.labelled(name, value);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      let during: 'list' | 'watch' = 'list';
      try {
        const version = await this.#list(signal);
        if (version === undefined) return;
        during = 'watch';
        this.#isWatchAlive = false;
        await this.#watch(version, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // Listing may work where watching does not: only a living watch ends a row of failures.
        if (this.#isWatchAlive) failures = 0;
        this.#observe({ type: 'failed', during, error });
        const pauseMs = this.#options.source.recovery(error).pauseMs;
        await sleep(clock, Math.max(pauseMs, backoffMs(backoffLimits, failures, random)), signal);
        failures += 1;
      }
    }
  }

  /** The version to watch from; undefined when the loop was stopped meanwhile. */
  async #list(signal: AbortSignal): Promise<string | undefined> {
    const { source, clock, random, relistMs } = this.#options;
    const { items, resourceVersion } = await source.list(signal);
    if (signal.aborted) return undefined;
    const changes = this.#cache.replace(items);
    const missed = this.#countMissed(changes);
    this.#watchedTo = resourceVersion;
    this.#contactAt = clock.now();
    this.#relistAt = clock.now() + (relistMs ?? relistDefaultMs) * (0.9 + random() / 5);
    this.#hasSynced = true;
    this.#observe({ type: 'listed', objects: items.length, missed });
    for (const change of changes) this.#tellAll(change);
    for (const settle of this.#syncWaiters) settle();
    return resourceVersion;
  }

  /** Changes from before the last bookmark of the watch. */
  #countMissed(changes: readonly Change<T>[]): number {
    const watchedTo = Number(this.#watchedTo);
    return changes.filter(
      (change) =>
        change.type !== 'deleted' && Number(change.object.metadata.resourceVersion) <= watchedTo,
    ).length;
  }

  /** Watches, and resumes, until it is time to list again; throws what cannot be resumed from. */
  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { source, clock, random } = this.#options;
    let version = from;
    let failures = 0;
    while (!signal.aborted && clock.now() < this.#relistAt) {
      const startedAt = clock.now();
      let events = 0;
      let failure: unknown;
      let pauseMs = 0;
      try {
        this.#observe({ type: 'watching' });
        for await (const event of source.watch(version, signal)) {
          if (signal.aborted) return;
          version = this.#accept(event) ?? version;
          events += 1;
          failures = 0;
        }
        if (events > 0 || clock.now() - startedAt >= shortWatchMs) {
          this.#isWatchAlive = true;
          continue;
        }
        failure = new Error('the server ended the watch at once');
      } catch (error) {
        if (signal.aborted) return;
        const recovery = source.recovery(error);
        if (!recovery.resume) throw error;
        failure = error;
        pauseMs = recovery.pauseMs;
      }
      failures += 1;
      if (failures > resumesMax) throw failure;
      this.#observe({ type: 'failed', during: 'watch', error: failure });
      await sleep(clock, Math.max(pauseMs, backoffMs(backoffLimits, failures, random)), signal);
    }
  }

  /** Applies an event to the cache; returns the version to resume from, if there is one. */
  #accept(event: SourceEvent<T>): string | undefined {
    this.#contactAt = this.#options.clock.now();
    this.#isWatchAlive = true;
    if (event.type === 'BOOKMARK') {
      this.#watchedTo = event.resourceVersion;
      return event.resourceVersion;
    }
    const { object } = event;
    const changes = event.type === 'DELETED' ? this.#cache.remove(object) : this.#cache.see(object);
    this.#observe({ type: 'event' });
    for (const change of changes) this.#tellAll(change);
    this.#watchedTo = object.metadata.resourceVersion;
    return object.metadata.resourceVersion;
  }

  #tellAll(change: Change<T>): void {
    for (const handler of this.#handlers) this.#tell(handler, change);
  }

  #tell(handler: (change: Change<T>) => void, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.#observe({ type: 'failed', during: 'handler', error });
    }
  }

  #observe(observation: InformerObservation): void {
    this.#options.observe?.(observation);
  }
}
