import { expect } from 'chai';

/** Of what a key holds; undefined when it is not there. */
export type Version = number | undefined;

interface Remembered {
  /** What was acknowledged, and no crash may take away. */
  certain: Version;
  /** What was sent after it, in order: each of them, or none, may be there after a crash. */
  readonly possible: Version[];
}

/**
 * The outside view of the keys that writers, each with its own, sent to a database that may
 * be killed at any moment. Guarded invariant: a key holds what was acknowledged last, or what was sent
 * after that, and nothing else.
 */
export class WriteLedger {
  readonly #keys = new Map<string, Remembered>();
  /** By writer: keys with something possible that was sent since the last crash. */
  readonly #open = new Map<string, Set<string>>();
  acknowledged = 0;

  keys(prefix = ''): string[] {
    return [...this.#keys.keys()].filter((key) => key.startsWith(prefix));
  }

  /** Before it is sent. */
  sent(writer: string, key: string, version: Version): void {
    this.#of(key).possible.push(version);
    const open = this.#open.get(writer) ?? new Set();
    this.#open.set(writer, open.add(key));
  }

  /**
   * A writer sends one thing after the other to one log: what is acknowledged as durable makes
   * everything durable that the writer sent before.
   */
  durable(writer: string): void {
    for (const key of this.#open.get(writer) ?? []) {
      const remembered = this.#of(key);
      remembered.certain = remembered.possible.at(-1);
      remembered.possible.length = 0;
      this.acknowledged += 1;
    }
    this.#open.delete(writer);
  }

  /** What was sent and not acknowledged as durable may be lost from now on. */
  crashed(): void {
    this.#open.clear();
  }

  /** After a restart: fails for what is lost or invented; what was found is certain from now on. */
  check(key: string, found: Version, about: string): void {
    const { certain, possible } = this.#of(key);
    expect([certain, ...possible], `${about}: ${key}`).to.include(found);
    this.#keys.set(key, { certain: found, possible: [] });
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** The last that was acknowledged or found. */
  certain(key: string): Version {
    return this.#keys.get(key)?.certain;
  }

  forget(prefix: string): void {
    for (const key of this.keys(prefix)) this.#keys.delete(key);
  }

  #of(key: string): Remembered {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const fresh = { certain: undefined, possible: [] };
    this.#keys.set(key, fresh);
    return fresh;
  }
}
