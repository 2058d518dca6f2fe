/**
 * One kind of object within one scope, as a source for a cache: what to list, what to watch, and
 * which failures a watch survives.
 */
import type { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, Resource } from './object.ts';
import type { Scope } from './options.ts';
import type { WatchEvent } from './watch-events.ts';

/** `managedFields` is about half of an object and is not used here. */
function slim<T extends KubeObject>(object: T): T {
  if (!('managedFields' in object.metadata)) return object;
  const { managedFields: _dropped, ...metadata } = object.metadata as T['metadata'] & {
    managedFields: unknown;
  };
  return { ...object, metadata };
}

export class KubeListWatch<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #resource: Resource;
  readonly #scope: Scope;

  constructor(client: KubeClient, resource: Resource, scope: Scope = {}) {
    this.#client = client;
    this.#resource = resource;
    this.#scope = scope;
  }

  async list(
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }> {
    const { items, resourceVersion } = await this.#client.list<T>(this.#resource, this.#scope, {
      signal,
    });
    return { items: items.map(slim), resourceVersion };
  }

  async *watch(
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const scope = { ...this.#scope, resourceVersion };
    for await (const event of this.#client.watch<T>(this.#resource, scope, { signal })) {
      yield event.type === 'BOOKMARK' ? event : { ...event, object: slim(event.object) };
    }
  }

  /** Lost connections and a busy server say nothing about the version; all else is doubt. */
  recovery(error: unknown): { readonly resume: boolean; readonly pauseMs: number } {
    const resume = isKubeError(
      error,
      'kube.unavailable',
      'kube.timeout',
      'kube.throttled',
      'kube.unauthorized',
    );
    return { resume, pauseMs: isKubeError(error) ? (error.retryAfterMs ?? 0) : 0 };
  }
}
