/** The pods that this process has asked to drain, by the key of their cluster and by their UID. Pure. */
export interface Drain {
  readonly node: string;
  readonly uid: string;
  readonly sinceMs: number;
}

export class Drains {
  readonly #byCluster = new Map<string, Map<string, Drain>>();

  begin(key: string, drain: Drain): void {
    const ofCluster = this.#byCluster.get(key) ?? new Map<string, Drain>();
    this.#byCluster.set(key, ofCluster);
    ofCluster.set(drain.uid, drain);
  }

  of(key: string): readonly Drain[] {
    return [...(this.#byCluster.get(key)?.values() ?? [])];
  }

  end(key: string, uid: string): void {
    const ofCluster = this.#byCluster.get(key);
    ofCluster?.delete(uid);
    if (ofCluster?.size === 0) this.#byCluster.delete(key);
  }

  /** The cluster is gone. */
  forget(key: string): void {
    this.#byCluster.delete(key);
  }
}
