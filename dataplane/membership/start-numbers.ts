import { readFile, writeFile } from './cluster-files.ts';
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

/** `now`: milliseconds since 1970. */
export function nextStart(files: ClusterFiles, now: number): StartNumbers {
  const stored = readFile(files, 'start') ?? { incarnation: 0, sequence: 0 };
  const next = {
    incarnation: Math.max(stored.incarnation + reserve.incarnation, now),
    sequence: Math.max(stored.sequence + reserve.sequence, now * 1_000),
  };
  writeFile(files, 'start', next);
  return next;
}
