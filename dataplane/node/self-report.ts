import type { Clock, Timer } from '../common/clock.ts';
import type { StorageHealth } from '../http/health.ts';
import { stateKeys } from '../membership/member-view.ts';
import type { MemberLoad } from '../membership/member-view.ts';
import { protocolVersion } from '../net/protocols.ts';
import { oldestWalFormat, walFormat } from '../wal/segment-header.ts';

export interface SelfReportParts {
  readonly clock: Pick<Clock, 'now' | 'timer'>;
  /** Undefined before the data is open, and on a node without data. */
  readonly storage: () => StorageHealth | undefined;
  readonly load: () => MemberLoad;
  readonly say: (key: string, value: string) => void;
}

const lookMs = 10_000;
const loadMs = 60_000;
const range = ({ min, max }: { readonly min: number; readonly max: number }): string =>
  `${min}-${max}`;
/** Versions that this release reads: between nodes, and of the log. */
const speaks = `protocol ${range(protocolVersion)}, log ${range({ min: oldestWalFormat, max: walFormat })}`;

/** Of the disk, the log and the store. */
export function storageSentence(health: StorageHealth | undefined): string {
  if (health === undefined) return '';
  const reasons = Object.values(health).flatMap((part) => part.reasons);
  return reasons[0]?.slice(0, 500) ?? 'ok';
}

/** Half as much again, or less than two thirds; small figures are alike. */
function differs(one: number, other: number, least: number): boolean {
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  return high - low > least && high > 1.5 * low;
}

const leastOf = {
  queriesPerSecond: 10,
  latencyP99Ms: 20,
  memoryBytes: 64 * 1_048_576,
  diskFreeBytes: 256 * 1_048_576,
} as const satisfies Record<keyof MemberLoad, number>;

const names = Object.keys(leastOf) as (keyof MemberLoad)[];

/**
 * What a node says to all others of its versions, its storage and its load. Each change of what one node says goes to
 * every other node, so a load is said when it differs much from what was said last, and once a minute at most.
 */
export class SelfReport {
  readonly #parts: SelfReportParts;
  #said: MemberLoad | undefined;
  #saidAt = 0;
  #timer: Timer | undefined;

  constructor(parts: SelfReportParts) {
    this.#parts = parts;
  }

  start(): void {
    this.look();
    this.#timer = this.#parts.clock.timer(lookMs, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  look(): void {
    const { clock, storage, load, say } = this.#parts;
    say(stateKeys.speaks, speaks);
    say(stateKeys.storage, storageSentence(storage()));
    const [now, said] = [load(), this.#said];
    const isDue = said === undefined || clock.now() - this.#saidAt >= loadMs;
    const isNews =
      said === undefined || names.some((name) => differs(now[name], said[name], leastOf[name]));
    if (!isDue || !isNews) return;
    [this.#said, this.#saidAt] = [now, clock.now()];
    say(stateKeys.load, JSON.stringify(now));
  }
}
