import type { Clock } from '../common/clock.ts';
import { isDescriptorShortage } from '../disk/descriptor-reserve.ts';
import { WalBlockedError, WalDescriptorsError } from './errors.ts';
import {
  announceSegment,
  pathOf,
  prepareSegment,
  takeSpare,
  withdrawSegment,
} from './segment-file.ts';
import type { PreparedSegment, SegmentDirectory } from './segment-file.ts';

/** Released segments whose room is kept: the next four need no zeros, and 64 MiB of disk is little. */
const sparesMax = 4;
/** How often a full disk is checked again. */
const lookEveryMs = 1_000;

interface NextSegmentOptions extends SegmentDirectory {
  readonly segmentBytes: number;
  readonly clock: Clock;
}

/** Room for the next segment, made ahead of time, from a released segment when there is one. */
export class NextSegment {
  readonly #options: NextSegmentOptions;
  /** Names of released segments of the usual size. */
  readonly #spares: string[] = [];
  #next: Promise<PreparedSegment | Error> | undefined;
  /** Its number. */
  #sequence = 0;
  /** Why there is no room; nothing is appended until there is. */
  #refusal: WalBlockedError | undefined;
  #lookedAt = 0;
  #retrying: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: NextSegmentOptions) {
    this.#options = options;
  }

  get refusal(): WalBlockedError | undefined {
    return this.#refusal;
  }

  get hasSpares(): boolean {
    return this.#spares.length > 0;
  }

  /**
   * Whether the room of a released segment shall be kept. On a disk that is almost full it is not, and
   * what was kept before is given back: others need it more.
   */
  async keepsSpares(): Promise<boolean> {
    const { disk, directory, segmentBytes } = this.#options;
    if ((await disk.freeBytes(directory)) >= sparesMax * segmentBytes) {
      return this.#spares.length < sparesMax;
    }
    for (let spare = this.#spares.shift(); spare !== undefined; spare = this.#spares.shift()) {
      await disk.remove(pathOf(this.#options, spare));
    }
    return false;
  }

  addSpare(name: string): void {
    this.#spares.push(name);
  }

  /** Starts to make it, unless that has begun. */
  prepare(sequence: number): void {
    if (this.#next !== undefined) return;
    this.#sequence = sequence;
    this.#next = this.#make(this.#options.segmentBytes).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
  }

  /** Room of at least this size. Rejects with what blocks the log for now; any other failure leaves the medium in doubt. */
  async take(sequence: number, size: number): Promise<PreparedSegment> {
    const prepared = await this.#next;
    this.#next = undefined;
    this.#sequence = sequence;
    try {
      if (prepared instanceof Error) {
        // Room may have been made since.
        if (!(prepared instanceof WalBlockedError)) throw prepared;
      } else if (prepared !== undefined) {
        if (prepared.size >= size) return prepared;
        await prepared.file.close();
      }
      return await this.#make(size);
    } catch (error) {
      if (error instanceof WalBlockedError) this.#refuse(error);
      throw error;
    }
  }

  /** Looks whether there is room again; rejects with what blocks the log while there is none. */
  async retry(): Promise<void> {
    if (this.#refusal === undefined) return;
    const { clock } = this.#options;
    if (this.#retrying === undefined && clock.now() - this.#lookedAt < lookEveryMs) {
      throw this.#refusal;
    }
    this.#retrying ??= this.#lookAgain().finally(() => {
      this.#retrying = undefined;
    });
    await this.#retrying;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the log was closed'));
    const prepared = await this.#next;
    if (prepared === undefined || prepared instanceof Error) return;
    await prepared.file.close();
    await withdrawSegment(this.#options, this.#sequence);
  }

  async #lookAgain(): Promise<void> {
    this.prepare(this.#sequence);
    const prepared = await this.#next;
    if (!(prepared instanceof Error)) {
      // What it failed for may have been larger than a usual segment: then it fails again.
      this.#refusal = undefined;
      return;
    }
    this.#next = undefined;
    if (prepared instanceof WalBlockedError) this.#refuse(prepared);
    throw prepared;
  }

  #refuse(error: WalBlockedError): void {
    this.#refusal = error;
    this.#lookedAt = this.#options.clock.now();
  }

  async #announceAndPrepare(size: number): Promise<PreparedSegment> {
    const sequence = this.#sequence;
    await announceSegment(this.#options, { sequence, size });
    const spare = size === this.#options.segmentBytes ? this.#spares.shift() : undefined;
    try {
      if (spare !== undefined) return await takeSpare(this.#options, spare, size);
      return await prepareSegment(this.#options, size, this.#closing.signal);
    } catch (error) {
      // The segment in front of it is not finished: it needs the room first.
      await withdrawSegment(this.#options, sequence);
      throw error;
    }
  }

  async #make(size: number): Promise<PreparedSegment> {
    try {
      return await this.#announceAndPrepare(size);
    } catch (error) {
      throw isDescriptorShortage(error) ? new WalDescriptorsError(error) : error;
    }
  }
}
