/** A source of objects that a test drives by hand: it grants lists and feeds watches. */
import type { ListWatch, SourceEvent } from '../informer.ts';
import type { CachedObject } from '../object.ts';

/** An error that says itself whether a watch may go on after it. */
export class ScriptedError extends Error {
  readonly resume: boolean;
  readonly pauseMs: number;

  constructor(message: string, resume: boolean, pauseMs = 0) {
    super(message);
    this.resume = resume;
    this.pauseMs = pauseMs;
  }
}

interface Listing {
  readonly items: readonly CachedObject[];
  readonly resourceVersion: string;
}

/** One open watch. */
export class ScriptedWatch {
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
  readonly #waiting: (SourceEvent<CachedObject> | Error | 'end')[] = [];
  #wake: (() => void) | undefined;
  isOpen = true;

  constructor(resourceVersion: string, signal: AbortSignal) {
    this.resourceVersion = resourceVersion;
    this.signal = signal;
    signal.addEventListener('abort', () => this.send(new Error('aborted')));
  }

  send(next: SourceEvent<CachedObject> | Error | 'end'): void {
    this.#waiting.push(next);
    this.#wake?.();
  }

  async *events(): AsyncGenerator<SourceEvent<CachedObject>, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (next === 'end') {
          return;
        } else if (next instanceof Error) {
          throw next;
        } else {
          yield next;
        }
      }
    } finally {
      this.isOpen = false;
    }
  }
}

export class ScriptedSource implements ListWatch<CachedObject> {
  /** What the next lists answer; an error is thrown, a promise is waited for. */
  listing: Listing | Error | Promise<Listing> = { items: [], resourceVersion: '1' };
  lists = 0;
  readonly watches: ScriptedWatch[] = [];

  async list(): Promise<Listing> {
    this.lists += 1;
    if (this.listing instanceof Error) throw this.listing;
    return this.listing;
  }

  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<SourceEvent<CachedObject>> {
    const watch = new ScriptedWatch(resourceVersion, signal);
    this.watches.push(watch);
    return watch.events();
  }

  recovery(error: unknown): { readonly resume: boolean; readonly pauseMs: number } {
    return error instanceof ScriptedError
      ? { resume: error.resume, pauseMs: error.pauseMs }
      : { resume: false, pauseMs: 0 };
  }

  get open(): readonly ScriptedWatch[] {
    return this.watches.filter((watch) => watch.isOpen);
  }

  /** The watch that is open now. */
  get current(): ScriptedWatch {
    const [watch] = this.open;
    if (watch === undefined) throw new Error('no watch is open');
    return watch;
  }
}

export function object(name: string, uid: string, resourceVersion: string): CachedObject {
  return { metadata: { namespace: 'ns', name, uid, resourceVersion } };
}
