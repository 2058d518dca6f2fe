import { encodeUtf8 } from '../../common/bytes.ts';
import { Prng } from '../../common/prng.ts';
import { spawn } from '../../common/spawn.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import { machineClock } from '../../node/clock.ts';
import { openWal } from '../../wal/open-wal.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { Database } from '../database.ts';
import { checkDatabase } from './check.ts';
import { CrowdedWorkload } from './crowded-workload.ts';
import { ImagedStore } from './imaged-store.ts';
import type { StoreImage } from './imaged-store.ts';
import { surprising } from './over-log.ts';
import { plainEdits } from './edits.ts';
import { plainDocuments } from './plain-documents.ts';
import { Workload } from './workload.ts';

/** Small enough for a workload to go through several. */
const segmentBytes = 8_192;
const memtableBytesMax = 1_048_576;
/** A log and a memtable that are full most of the time, and edits of several commands. */
const crowded = { queueBytesMax: 4_096, commandBytesMax: 1_024, memtableBytesMax: 16_384 };
const boundariesAfterFailureMax = 40;

/** What is on the medium of a node. */
interface Medium {
  readonly disk: MemoryDisk;
  readonly image: StoreImage;
}

/**
 * How much of LMDB's file a power cut leaves. Or no power cut: the operation fails, the process goes on
 * until it knows that it cannot, and everything that was not synced may be lost.
 */
type HowItEnds = 'flushed' | 'written' | 'failed';

export interface Cut {
  /** Counted from the start: operations of the log's disk, commits and flushes of the store. */
  readonly at: number;
  readonly left: HowItEnds;
}

interface Opened {
  readonly database: Database;
  readonly store: ImagedStore;
  readonly clock: ManualClock;
}

interface Limits {
  readonly memtableBytesMax: number;
  readonly commandBytesMax?: number;
  readonly queueBytesMax?: number;
}

async function open(
  { disk, store }: { readonly disk: MemoryDisk; readonly store: ImagedStore },
  { queueBytesMax, ...limits }: Limits,
  surprise: Prng,
): Promise<Opened> {
  const clock = new ManualClock();
  const database = await Database.open({
    clock: machineClock,
    store,
    openLog: async ({ isFirst: _isFirst, ...replay }) => {
      const place = { disk, directory: '/data/wal', segmentBytes, clock, random: () => 0.25 };
      if (queueBytesMax === undefined) return openWal({ ...replay, ...place });
      return surprising(await openWal({ ...replay, ...place, queueBytesMax }), surprise);
    },
    documents: plainDocuments,
    edits: plainEdits,
    compileIndex: (field) => (text) => [
      encodeUtf8((JSON.parse(text) as Record<string, string>)[field] ?? ''),
    ],
    ...limits,
    cacheBytesMax: memtableBytesMax,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  return { database, store, clock };
}

/** A database that lives from power cut to power cut. */
export class CutDatabase {
  readonly #prng: Prng;
  readonly #workload: Workload | CrowdedWorkload;
  readonly #limits: Limits;
  #medium: Medium = { disk: new MemoryDisk(), image: undefined };
  #lives = 0;

  constructor(seed: number, crowd?: CrowdedWorkload) {
    this.#prng = new Prng(seed);
    this.#workload = crowd ?? new Workload(new Prng(seed + 1));
    this.#limits = crowd === undefined ? { memtableBytesMax } : crowded;
  }

  /**
   * Opens what the cut before has left, looks at all of it, works for so many steps, and says whether
   * the cut was reached; when it was not, the database has stopped on its own. It may survive a failure.
   */
  async live(steps: number, cut: Cut, about: string): Promise<boolean> {
    this.#lives += 1;
    const { disk, image } = this.#medium;
    let boundaries = 0;
    let left: Medium | undefined;
    let hasFailed = false;
    const cutAfterFailure = cut.at + 1 + this.#prng.below(boundariesAfterFailureMax);
    const end = (store: StoreImage): void => {
      left ??= { disk: disk.crash(() => this.#prng.next() < 0.5), image: store };
    };
    const boundary = (): void => {
      boundaries += 1;
      // What survives a failure meets a power cut soon after.
      if (hasFailed && boundaries === cutAfterFailure) end(store.flushedImage);
      if (boundaries !== cut.at) return;
      if (cut.left !== 'failed') {
        end(cut.left === 'flushed' ? store.flushedImage : store.writtenImage());
        return;
      }
      hasFailed = true;
      throw new Error('EIO: input/output error');
    };
    const store = new ImagedStore(image, boundary);
    disk.failBy(boundary);
    try {
      const opened = await open({ disk, store }, this.#limits, this.#prng);
      const { failed } = opened.database;
      const lost = (): void => end(store.flushedImage);
      spawn(() => failed.then(lost), lost);
      await this.#work(opened, { steps, about, isOver: () => left !== undefined });
    } catch (error) {
      if (!hasFailed) throw error;
      end(store.flushedImage);
    } finally {
      await store.close();
    }
    this.#medium = left ?? { disk, image: store.flushedImage };
    return boundaries >= cut.at;
  }

  /** Until it is done, or the database says that it cannot go on. */
  async #work(
    opened: Opened,
    life: { readonly steps: number; readonly about: string; readonly isOver: () => boolean },
  ): Promise<void> {
    const { database } = opened;
    const { isOver, steps, about } = life;
    const work = async (): Promise<void> => {
      if (!isOver()) await this.#begin(opened, about);
      if (!isOver()) await this.#workload.run({ ...opened, isOver }, steps);
      // What is there is compared with what was acknowledged while nothing is cut, too.
      if (!isOver() && steps > 0) await checkDatabase(opened, this.#workload, `${about}, no cut`);
    };
    try {
      await Promise.race([work(), database.failed.then((error) => Promise.reject(error))]);
    } finally {
      // What runs on after the end has no effect on what was left.
      await database.stop();
    }
  }

  /** Opens what is left and looks at all of it. */
  async look(about: string): Promise<void> {
    await this.live(0, never, about);
  }

  async #begin(opened: Opened, about: string): Promise<void> {
    await checkDatabase(opened, this.#workload, `${about}, life ${this.#lives}`);
    const { database } = opened;
    if (database.state.databases['d'] === undefined) {
      await database.change({ type: 'createDatabase', id: 'd', name: 'd' });
    }
  }
}

const never: Cut = { at: Number.POSITIVE_INFINITY, left: 'flushed' };
const livesOfASeed = 3;
const stepsOfALife = 80;
const cutsMax = 300;

/** Several lives of one database, each ended by a power cut somewhere, and a last look. Answers the cuts. */
export async function cutAgainAndAgain(seed: number): Promise<number> {
  const prng = new Prng(seed);
  const database = new CutDatabase(seed);
  let cuts = 0;
  for (let life = 0; life < livesOfASeed; life += 1) {
    const left = prng.pick(['flushed', 'written', 'failed'] as const);
    const cut = { at: 1 + prng.below(cutsMax), left } as const;
    if (await database.live(stepsOfALife, cut, `seed ${seed}`)) cuts += 1;
  }
  await database.look(`seed ${seed}`);
  return cuts;
}

const crowdedSteps = 60;

/** The same over a log and a memtable that are full: first without a cut. */
export async function crowdAgainAndAgain(seed: number): Promise<CrowdedWorkload['counts']> {
  const prng = new Prng(seed);
  const workload = new CrowdedWorkload(new Prng(seed + 1));
  const database = new CutDatabase(seed, workload);
  await database.live(crowdedSteps, never, `seed ${seed}`);
  for (let life = 0; life < livesOfASeed; life += 1) {
    const left = prng.pick(['flushed', 'written', 'failed'] as const);
    const cut = { at: 1 + prng.below(cutsMax), left } as const;
    await database.live(crowdedSteps, cut, `seed ${seed}`);
  }
  await database.look(`seed ${seed}`);
  return workload.counts;
}
