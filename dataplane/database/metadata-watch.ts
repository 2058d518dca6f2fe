/** Those who wait for a change of the metadata or of an index. */
export class MetadataWatch {
  readonly #watchers = new Set<() => void>();

  notify(): void {
    for (const done of this.#watchers) done();
    this.#watchers.clear();
  }

  /** Resolves at the next change; rejects when the signal says so. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#watchers.delete(done);
        reject(signal.reason as Error);
      };
      const done = (): void => {
        signal.removeEventListener('abort', aborted);
        resolve();
      };
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted, { once: true });
      this.#watchers.add(done);
      return undefined;
    });
  }
}
