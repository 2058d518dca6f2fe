import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import { MemoryDisk } from '../disk/memory-disk.ts';
import { entry, openLog } from './testing/log.ts';
import { inForce } from './testing/power-cut.ts';
import type { OpenedLog } from './testing/log.ts';

const { signal } = new AbortController();
const seeds = 150;
const steps = 400;

/** One group's entries in force, beside a log that should give the same. */
class Model {
  readonly #prng: Prng;
  readonly #disk = new MemoryDisk();
  #log: OpenedLog | undefined;
  /** By index: the term of the entry in force. */
  readonly #terms: number[] = [0];
  #term = 1;
  #flushed = 0;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  async run(): Promise<number> {
    let compared = 0;
    this.#log = await openLog(this.#disk);
    for (let step = 0; step < steps; step += 1) {
      const chance = this.#prng.next();
      if (chance < 0.8) await this.#append();
      else if (chance < 0.86) await this.#truncate();
      else if (chance < 0.9) await this.#truncateFront();
      else if (chance < 0.91) await this.#reopen();
      else compared += await this.#compare();
    }
    await this.#log.wal.close();
    return compared;
  }

  get #wal(): OpenedLog['wal'] {
    if (this.#log === undefined) throw new Error('not open');
    return this.#log.wal;
  }

  async #append(): Promise<void> {
    const index = this.#terms.length;
    this.#terms.push(this.#term);
    const size = 40 + this.#prng.below(1_500);
    await this.#wal.append([{ ...entry(index, 1, size), term: this.#term }]);
  }

  async #truncate(): Promise<void> {
    const from = Math.max(this.#flushed + 1, this.#terms.length - this.#prng.below(40));
    if (from >= this.#terms.length) return;
    this.#terms.length = from;
    this.#term += 1;
    await this.#wal.truncate(1, from);
  }

  async #truncateFront(): Promise<void> {
    this.#flushed = Math.max(this.#flushed, this.#terms.length - 1 - this.#prng.below(60));
    await this.#wal.truncateFront(new Map([[1, this.#flushed]]));
  }

  async #reopen(): Promise<void> {
    await this.#wal.close();
    this.#log = await openLog(this.#disk);
  }

  async #compare(): Promise<number> {
    const last = this.#terms.length - 1;
    const from = 1 + this.#prng.below(last + 5);
    const to = from + this.#prng.below(80);
    const found: [index: number, term: number][] = [];
    try {
      for await (const { index, term } of this.#wal.read({ group: 1, from, to }, signal)) {
        found.push([index, term]);
      }
    } catch (error) {
      expect(error).to.have.property('code', 'wal.entries_gone');
      expect(from).to.be.at.most(this.#flushed);
      // It is gone in truth: a log opened from what is on the disk has not got it either.
      const { records, wal } = await openLog(this.#disk.crash(() => true));
      expect(inForce(records, 1)[0]?.index ?? Number.POSITIVE_INFINITY).to.be.greaterThan(from);
      await wal.close();
      return 1;
    }
    // A log that was opened when nothing of the group was left does not know what was released.
    if (found.length === 0 && from <= this.#flushed) return 0;
    const wanted = this.#terms.map((term, index) => [index, term]).slice(from, to + 1);
    expect(found).to.deep.equal(wanted);
    return 1;
  }
}

describe('reading a group', () => {
  it('gives the entries in force whatever was appended, truncated, released and reopened', async () => {
    let compared = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      try {
        compared += await new Model(seed).run();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(compared).to.be.greaterThan(1_000);
  }).timeout(60_000);
});
