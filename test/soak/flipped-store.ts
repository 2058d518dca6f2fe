import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Prng } from '../../dataplane/common/prng.ts';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { answersOf, fill, openOver } from './flip-database.ts';
import { machineClock } from '../../dataplane/node/clock.ts';

/**
 * Flips single bits of the data file of a real store, each in a copy, and lets another process open it,
 * scrub it and read everything: damage must be found, or end that process, or not matter.
 */
export type Outcome =
  /** All answers are right. */
  | 'harmless'
  /** The scrub found it. */
  | 'found'
  /** The store, the database or a read refused. */
  | 'refused'
  /** The process ended, or stood still; two in a row put the storage into quarantine. */
  | 'crashed'
  /** The scrub found nothing, and an answer was wrong. */
  | 'silent';

export interface Flip {
  readonly offset: number;
  readonly bit: number;
}

/** What the process under test is asked, for the base and for each flip. */
export interface FlipRequest extends Flip {
  readonly base: string;
  readonly answers: string;
}

const program = fileURLToPath(new URL('flip-child.ts', import.meta.url));
/** A process that reads for so long reads in a circle. */
const patienceMs = 20_000;
const pageBytes = 4_096;
/** Of the last two commits, and of the last one that is flushed. */
const placesOfRoots = [0, pageBytes, pageBytes / 2];
const rootBytes = 192;

export class FlippedStore {
  readonly outcomes = new Map<Outcome, number>();
  /** Flips that nothing showed though an answer was wrong. */
  readonly silent: string[] = [];
  readonly #directory: string;
  readonly #answers: string;
  readonly #bytes: number;
  #child: ChildProcess | undefined;

  private constructor(directory: string, answers: string, bytes: number) {
    this.#directory = directory;
    this.#answers = answers;
    this.#bytes = bytes;
  }

  static async prepare(seed: number): Promise<FlippedStore> {
    const directory = await mkdtemp(join(tmpdir(), 'photondb-flips-'));
    const base = join(directory, 'base');
    await fill(new LmdbStore({ clock: machineClock, directory: base, mapBytes: 1 << 28 }), seed);
    const database = await openOver(
      new LmdbStore({ clock: machineClock, directory: base, mapBytes: 1 << 28 }),
    );
    const answers = await answersOf(database);
    await database.stop();
    const { byteLength } = await readFile(join(base, 'data.mdb'));
    return new FlippedStore(directory, answers, byteLength);
  }

  /** A third anywhere, a third in the heads of pages, the rest in the two pages that name the roots. */
  anyFlip(prng: Prng): Flip {
    const pages = Math.floor(this.#bytes / pageBytes);
    const places = [
      () => prng.below(this.#bytes),
      () => prng.below(pages) * pageBytes + prng.below(64),
      () => prng.pick(placesOfRoots) + prng.below(rootBytes),
    ];
    return { offset: prng.pick(places)(), bit: prng.below(8) };
  }

  /** Every bit of the places that name the roots. */
  *rootFlips(): Generator<Flip> {
    for (const place of placesOfRoots) {
      for (let at = 0; at < rootBytes * 8; at += 1) {
        yield { offset: place + Math.floor(at / 8), bit: at % 8 };
      }
    }
  }

  async judge(flip: Flip): Promise<Outcome> {
    const outcome = await this.#ask({
      ...flip,
      base: join(this.#directory, 'base'),
      answers: this.#answers,
    });
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (outcome === 'silent') this.silent.push(`offset ${flip.offset}, bit ${flip.bit}`);
    return outcome;
  }

  async remove(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #ask(request: FlipRequest): Promise<Outcome> {
    const child = (this.#child ??= fork(program, [this.#directory], {
      // Where it may leave its memory when it crashes.
      cwd: this.#directory,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    }));
    const over = new AbortController();
    const { signal } = over;
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    const answered = once(child, 'message', { signal }).then(([outcome]) => outcome as Outcome);
    const ended = once(child, 'exit', { signal }).then((): Outcome => {
      this.#child = undefined;
      return 'crashed';
    });
    child.send(request);
    try {
      return await Promise.race([answered, ended]);
    } finally {
      clearTimeout(timer);
      over.abort();
      await Promise.allSettled([answered, ended]);
    }
  }
}
