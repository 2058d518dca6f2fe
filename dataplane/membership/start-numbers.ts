import { isDiskFull, readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles } from './cluster-files.ts';

/**
 * Numbers that a process of a node begins with: above all that an earlier one has used, also when the clock of
 * the machine went back. Otherwise the other nodes take what it says for old, or for a repetition.
 */
const reserve = { incarnation: 1_000, sequence: 1e12 } as const;

export interface StartNumbers {
  readonly incarnation: number;
  /** Of its first datagram. */
  readonly sequence: number;
}

/**
 * Numbers that are not stored: above those of the process that stored its own, below those of the next one that does.
 * The clock tells several such processes apart; a node sends less than one datagram in a millisecond.
 */
function between(stored: StartNumbers, now: number): StartNumbers {
  const half = { incarnation: reserve.incarnation / 2, sequence: reserve.sequence / 2 };
  return {
    incarnation: Math.max(stored.incarnation + half.incarnation, now),
    sequence: stored.sequence + half.sequence + (Math.trunc(now) % half.sequence),
  };
}

/** `now`: milliseconds since 1970. A node that has started before also starts on a full disk. */
export function nextStart(files: ClusterFiles, now: number): StartNumbers {
  const stored = readFile(files, 'start');
  const { incarnation, sequence } = stored ?? { incarnation: 0, sequence: 0 };
  const next = {
    incarnation: Math.max(incarnation + reserve.incarnation, now),
    sequence: Math.max(sequence + reserve.sequence, now * 1_000),
  };
  try {
    writeFile(files, 'start', next);
  } catch (error) {
    if (stored === undefined || !isDiskFull(error)) throw error;
    return between(stored, now);
  }
  return next;
}
