/** Nodes that members have confirmed as removed, by the key of their cluster: they are not asked about again. Pure. */
export class Removals {
  readonly #byCluster = new Map<string, Set<string>>();

  note(key: string, nodeId: string): void {
    const ofCluster = this.#byCluster.get(key) ?? new Set<string>();
    this.#byCluster.set(key, ofCluster);
    ofCluster.add(nodeId);
  }

  has(key: string, nodeId: string): boolean {
    return this.#byCluster.get(key)?.has(nodeId) === true;
  }

  /** The cluster is gone. */
  forget(key: string): void {
    this.#byCluster.delete(key);
  }
}
