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
/**
 * Between two measurements: while there are nodes that were not measured yet, while a clock is wrong or nobody is
 * connected, and afterwards. At one in ten seconds measurements would be an eighth of what a node of a calm cluster
 * sends.
 */
export const clockPeriodMs = { first: 250, watchful: 1_000, calm: 30_000 } as const;

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
  /** Whether the clock of each connected node was right when it was measured last. */
  readonly #isRight = new Map<string, boolean>();

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** Until the next measurement. */
  get pauseMs(): number {
    const peers = this.#options.peers();
    const connected = new Set(peers);
    for (const id of this.#isRight.keys()) if (!connected.has(id)) this.#isRight.delete(id);
    if (peers.some((id) => !this.#isRight.has(id))) return clockPeriodMs.first;
    const isCalm = peers.length > 0 && peers.every((id) => this.#isRight.get(id) === true);
    return isCalm ? clockPeriodMs.calm : clockPeriodMs.watchful;
  }

  /** Measures the next node. */
  async measure(): Promise<void> {
    const { clock, echo, wrong } = this.#options;
    const id = this.#next();
    if (id === undefined) return;
    // Also of one that does not answer, or is of an earlier release.
    this.#isRight.set(id, this.#isRight.get(id) ?? true);
    const sentAt = clock.timeOfDay();
    const from = clock.now();
    const answer = await echo(id);
    const roundTripMs = clock.now() - from;
    if (answer.byteLength !== 8) return;
    const theirs = new ByteReader(answer).u64();
    // The answer was made at some time of the round trip.
    const offset = theirs - (sentAt + roundTripMs / 2);
    const certain = Math.abs(offset) - roundTripMs / 2;
    const isWrong = certain > clockOffsetMsMax;
    this.#isRight.set(id, !isWrong);
    this.#again = isWrong ? this.#again + 1 : 0;
    if (isWrong) wrong(id, Math.sign(offset) * certain);
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
    // Nodes come and go meanwhile.
    for (let waited = 0; waited < watch.pauseMs; waited += clockPeriodMs.first) {
      await lifetime.pause(clockPeriodMs.first);
    }
    // A node that does not answer is the failure detector's concern.
    await watch.measure().catch(() => undefined);
  }
}
