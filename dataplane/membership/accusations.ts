import { encodeUtf8 } from '../common/bytes.ts';
import { codec, list, text, uuid } from './messages.ts';
import { observedCauseNames, observedCauses } from './quarantine-causes.ts';
import type { ObservedCause } from './quarantine-causes.ts';

/**
 * What one member accuses others of. It is part of the member's own gossiped state, and so signed by the accuser.
 * Guarded invariants: an accusation rests on the evidence that its cause demands, and ends when no more comes;
 * evidence and accusations are bounded, whatever the others do.
 */
export interface Accusation {
  readonly about: string;
  readonly cause: ObservedCause;
  /** The newest evidence, for people. */
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly until: number;
}

/** At a time, of one member: they fit into one value of its state. */
const accusationsMax = 8;
const detailCharactersMax = 120;
/** Pairs of a node and a cause with evidence. */
const pairsMax = 1_024;
/** Later ends are said only in steps, so that a steady evil is no steady news. */
const stepsPerRelease = 4;

const time = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const accusationsCodec = codec<{ readonly accusations: readonly Accusation[] }>('accusations', {
  accusations: list(
    {
      type: 'object',
      required: ['about', 'cause', 'detail', 'since', 'until'],
      properties: {
        about: uuid,
        cause: { enum: observedCauseNames },
        detail: text(detailCharactersMax),
        since: time,
        until: time,
      },
    },
    accusationsMax,
  ),
});

/** One byte for each character, so that the number of characters bounds the bytes. */
const plain = (detail: string): string => detail.replaceAll(/[^ -~]/g, '?');

/** None when the text is none that this release reads. */
export function accusationsIn(value: string | undefined): readonly Accusation[] {
  if (value === undefined || value === '') return [];
  try {
    return accusationsCodec.decode(encodeUtf8(value)).accusations;
  } catch {
    return [];
  }
}

export class Accusations {
  readonly #evidence = new Map<string, number[]>();
  readonly #standing = new Map<string, Accusation>();

  /** Evidence that this member has seen itself. `now`: milliseconds since 1970. */
  note(about: string, cause: ObservedCause, detail: string, now: number): void {
    const { count, withinMs, releaseMs } = observedCauses[cause];
    const key = `${about} ${cause}`;
    const recent = (this.#evidence.get(key) ?? []).filter((at) => at > now - withinMs && at <= now);
    const times = [...recent, now].slice(-count);
    this.#evidence.delete(key);
    this.#evidence.set(key, times);
    const [oldest] = this.#evidence.keys();
    if (this.#evidence.size > pairsMax && oldest !== undefined) this.#evidence.delete(oldest);
    const known = this.#standing.get(key);
    if (times.length < count && known === undefined) return;
    const until = now + releaseMs;
    if (known !== undefined && until - known.until < releaseMs / stepsPerRelease) return;
    if (known === undefined && this.#standing.size >= accusationsMax) return;
    const cut = plain(detail).slice(0, detailCharactersMax);
    this.#standing.set(key, { about, cause, detail: cut, since: known?.since ?? now, until });
  }

  /** An administrator has released the node: what was seen before counts no longer. */
  clear(about: string): void {
    for (const key of this.#evidence.keys()) {
      if (key.startsWith(`${about} `)) this.#evidence.delete(key);
    }
    for (const [key, each] of this.#standing) if (each.about === about) this.#standing.delete(key);
  }

  /** For the gossiped state of this member; empty without accusations. */
  textAt(now: number): string {
    for (const [key, { until }] of this.#standing) if (until <= now) this.#standing.delete(key);
    if (this.#standing.size === 0) return '';
    const accusations = [...this.#standing.values()];
    return Buffer.from(accusationsCodec.encode({ accusations })).toString();
  }
}
