/**
 * Which node leads each shard, as far as this node knows: a hint, which the node that is asked corrects. A bounded
 * cache: what is forgotten is found again by asking any replica.
 */
const shardsMax = 65_536;

const keyOf = (table: string, shard: number): string => `${table} ${shard}`;

export class Leaders {
  readonly #known = new Map<string, string>();

  of(table: string, shard: number): string | undefined {
    return this.#known.get(keyOf(table, shard));
  }

  note(table: string, shard: number, node: string): void {
    const key = keyOf(table, shard);
    if (this.#known.get(key) === node) return;
    const [oldest] = this.#known.keys();
    if (this.#known.size >= shardsMax && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, node);
  }

  /** It was not that node, or it does not answer. */
  forget(table: string, shard: number, node: string): void {
    const key = keyOf(table, shard);
    if (this.#known.get(key) === node) this.#known.delete(key);
  }
}
