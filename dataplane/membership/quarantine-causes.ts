/**
 * Why a node may be quarantined. Guarded invariant: a node is accused only of what it has done under its own
 * certificate, seen by the accuser itself. What anybody on the network, or any holder of a gossip key, could do in
 * the name of a node (a repeated datagram, a datagram with a wrong signature) is refused and counted, and accuses
 * nobody.
 */
interface Rule {
  /** Of the evidence that one member needs ... */
  readonly count: number;
  /** ... within this time, before it accuses. */
  readonly withinMs: number;
  /** An accusation ends after this time without new evidence. */
  readonly releaseMs: number;
  /** What the node does, as the end of a sentence. */
  readonly words: string;
}

const minute = 60_000;

export const observedCauses = {
  invalidSignature: {
    count: 3,
    withinMs: minute,
    releaseMs: 10 * minute,
    words: 'sends statements whose signatures are not valid',
  },
  replay: {
    count: 3,
    withinMs: minute,
    releaseMs: 10 * minute,
    words: 'repeats messages',
  },
  duplicateId: {
    count: 3,
    withinMs: 10 * minute,
    releaseMs: 10 * minute,
    words: 'has the same node ID as another process',
  },
  versionRegression: {
    count: 3,
    withinMs: 5 * minute,
    releaseMs: 5 * minute,
    words: 'has a state that is older than what it has said before',
  },
  clockOffset: {
    count: 3,
    withinMs: 5 * minute,
    releaseMs: 5 * minute,
    words: 'has a clock that is wrong',
  },
  flapping: {
    count: 10,
    withinMs: 10 * minute,
    releaseMs: 10 * minute,
    words: 'is lost and found again and again',
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type ObservedCause = keyof typeof observedCauses;
export const observedCauseNames = Object.keys(observedCauses) as readonly ObservedCause[];

/** A node accuses itself, or an administrator orders it; only an administrator ends it. */
export type QuarantineCause = ObservedCause | 'walCorruption' | 'administrator';

/** The clock of a node may differ by this much from the clocks of the others. */
export const clockOffsetMsMax = 10_000;

export const wordsOf = (cause: QuarantineCause): string => {
  switch (cause) {
    case 'walCorruption':
      return 'has a damaged write-ahead log';
    case 'administrator':
      return 'was quarantined by an administrator';
    default:
      return observedCauses[cause].words;
  }
};
