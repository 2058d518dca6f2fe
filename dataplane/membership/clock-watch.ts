import { ByteReader } from '../common/byte-reader.ts';
import { noBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { Lifetime } from './lifetime.ts';
import type { Mesh } from './mesh.ts';
import { clockOffsetMsMax } from './quarantine-causes.ts';
import type { QuarantineKeeper } from './quarantine-keeper.ts';

/**
 * Compares the clocks of other nodes with this one's, one node at a time. Which of two clocks is wrong, a majority
 * decides. A node whose clock seems wrong is measured again at once, since one answer may have been held up.
 */
const measurementsInRow = 3;
/** Between two measurements. */
const periodMs = 2_000;

export interface ClockWatchOptions {
  readonly clock: Pick<Clock, 'now' | 'timeOfDay'>;
  readonly peers: () => readonly string[];
  readonly echo: (id: string) => Promise<Uint8Array>;
  /** `offsetMs`: how far the clock of the node is ahead, at least. */
  readonly wrong: (id: string, offsetMs: number) => void;
}

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #last = '';
  #again = 0;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** Measures the next node. */
  async measure(): Promise<void> {
    const { clock, echo, wrong } = this.#options;
    const id = this.#next();
    if (id === undefined) return;
    const sentAt = clock.timeOfDay();
    const from = clock.now();
    const answer = await echo(id);
    const roundTripMs = clock.now() - from;
    // Of an earlier release.
    if (answer.byteLength !== 8) return;
    const theirs = new ByteReader(answer).u64();
    // The answer was made at some time of the round trip.
    const offset = theirs - (sentAt + roundTripMs / 2);
    const certain = Math.abs(offset) - roundTripMs / 2;
    this.#again = certain > clockOffsetMsMax ? this.#again + 1 : 0;
    if (certain > clockOffsetMsMax) wrong(id, Math.sign(offset) * certain);
  }

  #next(): string | undefined {
    const peers = this.#options.peers().toSorted();
    if (this.#again > 0 && this.#again < measurementsInRow && peers.includes(this.#last)) {
      return this.#last;
    }
    this.#again = 0;
    const next = peers.find((id) => id > this.#last) ?? peers[0];
    if (next !== undefined) this.#last = next;
    return next;
  }
}

interface Watcher {
  readonly clock: Pick<Clock, 'now' | 'timeOfDay'>;
  readonly mesh: Pick<Mesh, 'peers' | 'request'>;
  readonly keeper: Pick<QuarantineKeeper, 'note'>;
  readonly lifetime: Pick<Lifetime, 'pause'>;
}

/** Ends with the lifetime. */
export async function watchClocks({ clock, mesh, keeper, lifetime }: Watcher): Promise<void> {
  const watch = new ClockWatch({
    clock,
    peers: () => mesh.peers.map(({ id }) => id),
    echo: (id) => mesh.request(id, 'echo', noBytes),
    wrong: (id, offsetMs) =>
      keeper.note(id, 'clockOffset', `${Math.round(offsetMs / 1_000)} s ahead of this one`),
  });
  for (;;) {
    await lifetime.pause(periodMs);
    // A node that does not answer is the failure detector's concern.
    await watch.measure().catch(() => undefined);
  }
}
