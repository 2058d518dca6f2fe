import { expect } from 'chai';
import type { Rows } from './model.ts';

/** One document of an edit: `text` is undefined for a deletion. No two texts are the same. */
export interface SentWrite {
  readonly key: string;
  readonly text: string | undefined;
  /** Open: acknowledged softly, or not answered. */
  state: 'open' | 'durable' | 'refused';
}

/**
 * What somebody outside knows of a table whose log refuses writes: each write is open until it was answered,
 * and a write that is found to be built on no more must never be acknowledged. Guarded invariant: a key has
 * what its last durable write says, or an open one behind it.
 */
export class RefusableTable {
  #base: Rows = new Map();
  readonly #sent = new Map<string, SentWrite[]>();

  /** The next write of a key, evaluated on `old`; throws when no history gives that. */
  send(key: string, old: string | undefined, text: string | undefined): SentWrite {
    const writes = this.#writesOf(key);
    for (let last = writes.at(-1); last !== undefined && last.text !== old; last = writes.at(-1)) {
      if (last.state === 'durable') break;
      // Nobody builds on it any more: it must have been refused.
      last.state = 'refused';
      writes.pop();
    }
    const newest = writes.length === 0 ? this.#base.get(key) : writes.at(-1)?.text;
    if (newest !== old) throw new Error(`${key} is ${old}, and not ${newest}`);
    const write: SentWrite = { key, text, state: 'open' };
    writes.push(write);
    return write;
  }

  /** It was acknowledged as durable. */
  durable(write: SentWrite): void {
    if (write.state === 'refused') throw new Error(`${write.text} was acknowledged, and withdrawn`);
    write.state = 'durable';
  }

  refused(write: SentWrite): void {
    if (write.state === 'durable') throw new Error(`${write.text} was acknowledged, and refused`);
    write.state = 'refused';
    const writes = this.#writesOf(write.key);
    const at = writes.indexOf(write);
    if (at >= 0) writes.splice(at, 1);
  }

  /** Compares everything, and goes on from what was found. */
  adopt(found: Rows, about: string): void {
    for (const key of new Set([...this.#base.keys(), ...this.#sent.keys(), ...found.keys()])) {
      const writes = this.#writesOf(key);
      const durable = writes.findLastIndex(({ state }) => state === 'durable');
      const certain = durable < 0 ? this.#base.get(key) : writes[durable]?.text;
      const possible = [certain, ...writes.slice(durable + 1).map(({ text }) => text)];
      const text = found.get(key);
      expect(possible.map(summary), `${about}: ${key}`).to.include(summary(text));
    }
    this.#base = found;
    this.#sent.clear();
  }

  #writesOf(key: string): SentWrite[] {
    const known = this.#sent.get(key);
    if (known !== undefined) return known;
    const writes: SentWrite[] = [];
    this.#sent.set(key, writes);
    return writes;
  }
}

/** Without the filling, which says nothing. */
const summary = (text: string | undefined): string => text?.slice(0, 60) ?? 'absent';
