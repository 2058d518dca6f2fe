/** Where events go: objects of events.k8s.io, counted on by a patch of their series. */
import type { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';

interface Series {
  readonly count: number;
  readonly lastObservedTime: string;
}

export class KubeEventSink {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async create(event: KubeObject, signal: AbortSignal): Promise<void> {
    await this.#client.create(resources.events, event, { signal });
  }

  /** False when the server has forgotten the event: it keeps them for an hour. */
  async count(event: KubeObject, series: Series, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.mergePatch(resources.events, event.metadata, { series }, { signal });
      return true;
    } catch (error) {
      if (isKubeError(error, 'kube.not_found')) return false;
      throw error;
    }
  }
}
