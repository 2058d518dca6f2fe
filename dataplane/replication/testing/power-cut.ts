import { encodeUtf8 } from '../../common/bytes.ts';
import { Prng } from '../../common/prng.ts';
import type { Datum } from '../../datum/datum.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import { openWal } from '../../wal/open-wal.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { Database } from '../database.ts';
import { checkDatabase } from './check.ts';
import { ImagedStore } from './imaged-store.ts';
import type { StoreImage } from './imaged-store.ts';
import { Workload } from './workload.ts';

/** Small enough for a workload to go through several. */
const segmentBytes = 8_192;
const overlayBytesMax = 1_048_576;

/** What is on the medium of a node. */
interface Medium {
  readonly disk: MemoryDisk;
  readonly image: StoreImage;
}

/** How much of LMDB's file a power cut leaves. */
type StoreLeft = 'flushed' | 'written';

export interface Cut {
  /** Counted from the start: operations of the log's disk, commits and flushes of the store. */
  readonly at: number;
  readonly left: StoreLeft;
}

interface Opened {
  readonly database: Database;
  readonly store: ImagedStore;
  readonly clock: ManualClock;
}

async function open(
  { disk, image }: Medium,
  boundary: (store: ImagedStore) => void,
): Promise<Opened> {
  const store = new ImagedStore(image, () => boundary(store));
  disk.failBy(() => boundary(store));
  const clock = new ManualClock();
  const database = await Database.open({
    store,
    openLog: ({ isFirst: _isFirst, ...replay }) =>
      openWal({ ...replay, disk, directory: '/data/wal', segmentBytes, clock, random: () => 0.25 }),
    codec: {
      parse: (text) => JSON.parse(text) as Datum,
      format: (document) => JSON.stringify(document),
    },
    compileIndex: (field) => (text) => [
      encodeUtf8((JSON.parse(text) as Record<string, string>)[field] ?? ''),
    ],
    overlayBytesMax,
    cacheBytesMax: overlayBytesMax,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  return { database, store, clock };
}

/** A database that lives from power cut to power cut. */
export class CutDatabase {
  readonly #prng: Prng;
  readonly #workload: Workload;
  #medium: Medium = { disk: new MemoryDisk(), image: undefined };
  #lives = 0;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#workload = new Workload(new Prng(seed + 1));
  }

  /**
   * Opens what the cut before has left, looks at all of it, works for so many steps, and says whether
   * the power went meanwhile; when it did not, the database has stopped by itself.
   */
  async live(steps: number, cut: Cut, about: string): Promise<boolean> {
    this.#lives += 1;
    let boundaries = 0;
    let left: Medium | undefined;
    const { disk } = this.#medium;
    const opened = await open(this.#medium, (store) => {
      boundaries += 1;
      if (boundaries !== cut.at) return;
      const image = cut.left === 'flushed' ? store.flushedImage : store.writtenImage();
      left = { disk: disk.crash(() => this.#prng.next() < 0.5), image };
    });
    const { database, store } = opened;
    const life = { ...opened, isOver: () => left !== undefined };
    const work = async (): Promise<void> => {
      if (!life.isOver()) await this.#begin(opened, about);
      if (!life.isOver()) await this.#workload.run(life, steps);
    };
    try {
      await Promise.race([work(), database.failed.then((error) => Promise.reject(error))]);
    } finally {
      // What runs on after the cut has no effect on what was left.
      await database.stop();
    }
    this.#medium = left ?? { disk, image: store.flushedImage };
    return left !== undefined;
  }

  /** Opens what is left and looks at all of it. */
  async look(about: string): Promise<void> {
    await this.live(0, { at: Number.POSITIVE_INFINITY, left: 'flushed' }, about);
  }

  async #begin(opened: Opened, about: string): Promise<void> {
    await checkDatabase(opened, this.#workload, `${about}, life ${this.#lives}`);
    const { database } = opened;
    if (database.state.databases['d'] === undefined) {
      await database.change({ type: 'createDatabase', id: 'd', name: 'd' });
    }
  }
}

const livesOfASeed = 3;
const stepsOfALife = 80;
const cutsMax = 300;

/** Several lives of one database, each ended by a power cut somewhere, and a last look. Answers the cuts. */
export async function cutAgainAndAgain(seed: number): Promise<number> {
  const prng = new Prng(seed);
  const database = new CutDatabase(seed);
  let cuts = 0;
  for (let life = 0; life < livesOfASeed; life += 1) {
    const left = prng.next() < 0.5 ? 'flushed' : 'written';
    const cut = { at: 1 + prng.below(cutsMax), left } as const;
    if (await database.live(stepsOfALife, cut, `seed ${seed}`)) cuts += 1;
  }
  await database.look(`seed ${seed}`);
  return cuts;
}
