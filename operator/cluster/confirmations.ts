/** What members have confirmed, by the key of their cluster: they are not asked about it again. Pure. */
export class Confirmations {
  readonly #byCluster = new Map<string, Set<string>>();

  note(key: string, what: string): void {
    const ofCluster = this.#byCluster.get(key) ?? new Set<string>();
    this.#byCluster.set(key, ofCluster);
    ofCluster.add(what);
  }

  has(key: string, what: string): boolean {
    return this.#byCluster.get(key)?.has(what) === true;
  }

  /** The cluster is gone. */
  forget(key: string): void {
    this.#byCluster.delete(key);
  }
}
