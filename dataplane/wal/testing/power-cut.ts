import { expect } from 'chai';
import { Prng } from '../../common/prng.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import { hardStateKind, truncateKind } from '../record.ts';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { WalRecord } from '../record.ts';
import { entry, openLog } from './log.ts';
import type { OpenedLog } from './log.ts';

export const groups = [1, 2] as const;

/** A group's log as somebody outside remembers it. */
interface Remembered {
  /** The last entry that was acknowledged and not truncated since. */
  acknowledged: number;
  /** The last entry that was appended. */
  appended: number;
  /** The last entry that can be there: of a truncation nobody knows yet whether it is durable. */
  highest: number;
  flushed: number;
  term: number;
  /** Of the newest hard state that was acknowledged, and of the newest that was asked for; 0 for none. */
  votedDurably: number;
  voted: number;
}

/**
 * Groups that append side by side, so that one batch gathers while another is written; with
 * truncations, seals and releases, over several segments and their recycled room.
 */
export class Workload {
  readonly #prng: Prng;
  readonly #memory = new Map<number, Remembered>(
    groups.map((group) => [
      group,
      {
        acknowledged: 0,
        appended: 0,
        highest: 0,
        flushed: 0,
        term: 1,
        votedDurably: 0,
        voted: 0,
      },
    ]),
  );

  constructor(seed: number) {
    this.#prng = new Prng(seed);
  }

  async run(log: OpenedLog, steps: number, isOver: () => boolean): Promise<void> {
    await Promise.all(groups.map((group) => this.#runGroup(log, { group, steps, isOver })));
  }

  async #runGroup(
    { wal, clock }: OpenedLog,
    { group, steps, isOver }: { group: number; steps: number; isOver: () => boolean },
  ): Promise<void> {
    for (let step = 0; step < steps && !isOver(); step += 1) {
      await this.#append(wal, group, isOver);
      if (this.#prng.next() < 0.05) await this.#truncate(wal, group, isOver);
      if (step % 10 === 9) clock.advance(20);
      if (step % 15 === 14) await this.#truncateFront(wal);
      for (let turns = this.#prng.below(6); turns > 0; turns -= 1) await Promise.resolve();
    }
  }

  async #append(wal: OpenedLog['wal'], group: number, isOver: () => boolean): Promise<void> {
    const memory = this.#of(group);
    const index = memory.appended + 1;
    memory.appended = index;
    memory.highest = Math.max(memory.highest, index);
    const { term } = memory;
    const record = { ...entry(index, group, 40 + this.#prng.below(900)), term };
    const hardState = this.#prng.next() < 0.2 ? [this.#vote(group)] : [];
    await wal.persist([...hardState, record]);
    if (isOver()) return;
    memory.acknowledged = index;
    for (const vote of hardState) memory.votedDurably = vote.term;
  }

  async #truncate(wal: OpenedLog['wal'], group: number, isOver: () => boolean): Promise<void> {
    const memory = this.#of(group);
    const from = memory.appended - this.#prng.below(3);
    if (from <= memory.flushed + 1) return;
    memory.appended = from - 1;
    memory.acknowledged = Math.min(memory.acknowledged, from - 1);
    memory.term += 1;
    const order = { group, term: 0, index: from, kind: truncateKind, payload: new Uint8Array() };
    const vote = this.#vote(group);
    await wal.persist([vote, order]);
    if (isOver()) return;
    memory.highest = from - 1;
    memory.votedDurably = vote.term;
  }

  #vote(group: number): WalRecord {
    const memory = this.#of(group);
    memory.voted += 1;
    const payload = encodeUtf8(`candidate ${memory.voted}`);
    return { group, term: memory.voted, index: memory.acknowledged, kind: hardStateKind, payload };
  }

  async #truncateFront(wal: OpenedLog['wal']): Promise<void> {
    for (const group of groups) {
      const memory = this.#of(group);
      memory.flushed = Math.max(memory.flushed, memory.acknowledged - 10);
    }
    await wal.truncateFront(new Map(groups.map((group) => [group, this.#of(group).flushed])));
  }

  #of(group: number): Remembered {
    const memory = this.#memory.get(group);
    if (memory === undefined) throw new Error(`no group ${group}`);
    return memory;
  }

  /** Everything acknowledged is there, in order and without a gap, and nothing that was never appended. */
  check(found: OpenedLog, about: string): void {
    for (const group of groups) {
      const memory = this.#of(group);
      const ours = inForce(found.records, group);
      const hardState = found.wal.recovery.hardState(group);
      expect(hardState?.term ?? 0, about).to.be.within(memory.votedDurably, memory.voted);
      const vote = Buffer.from(hardState?.payload ?? []).toString();
      expect(vote, about).to.equal(hardState === undefined ? '' : `candidate ${hardState.term}`);
      const indexes = ours.map((record) => record.index);
      const [first = 1, last = indexes.at(-1) ?? 0] = [indexes[0]];
      expect(indexes, about).to.deep.equal(indexes.map((_, at) => first + at));
      expect(last, about).to.be.within(memory.acknowledged, memory.highest);
      expect(first, about).to.be.at.most(memory.flushed + 1);
      for (const { index, payload } of ours) {
        const text = Buffer.from(payload).toString();
        const isOurs = text.startsWith(`${group}/${index}.`) || text === `${group}/${index}`;
        expect(isOurs, about).to.equal(true);
      }
    }
  }
}

/** The entries of a group without those that were truncated. */
export function inForce(records: readonly WalRecord[], group: number): WalRecord[] {
  const kept: WalRecord[] = [];
  for (const record of records) {
    if (record.group !== group) continue;
    if (record.kind !== truncateKind) kept.push(record);
    else while ((kept.at(-1)?.index ?? -1) >= record.index) kept.pop();
  }
  return kept;
}

/** Runs the workload on a disk whose power goes at one operation; undefined when it ends before. */
export async function powerCut(
  seed: number,
  cutAt: number,
): Promise<[Workload, MemoryDisk] | undefined> {
  const prng = new Prng(seed * 1_000 + cutAt);
  const disk = new MemoryDisk();
  const workload = new Workload(seed);
  let operations = 0;
  let found: MemoryDisk | undefined;
  const log = await openLog(disk);
  disk.failBy(() => {
    operations += 1;
    if (operations === cutAt) found = disk.crash(() => prng.next() < 0.5);
  });
  await workload.run(log, 60, () => found !== undefined);
  await log.wal.close();
  return found === undefined ? undefined : [workload, found];
}
