import { SafetyViolation } from '../violation.ts';

/** An append of a value of its own to a list, or a read of the whole list. */
export interface ListOperation {
  readonly list: string;
  readonly kind: 'append' | 'read';
  /** What was appended. */
  readonly value?: string;
  /** What was read. */
  readonly read?: readonly string[];
  readonly calledAt: number;
  /** Infinity while the outcome is unknown. */
  readonly returnedAt: number;
  /** It was refused each time: certainly not applied. */
  readonly isRefused?: boolean;
}

/**
 * Lists that only grow, by values that are never used twice: any lost, repeated or stale write shows in what is read
 * (Kingsbury and Alvaro, "Elle", 2020). Linearizable: one order of appends, of which each read shows a prefix, and which
 * no client has seen to contradict real time.
 */
export function checkLists(
  operations: readonly ListOperation[],
  final: ReadonlyMap<string, readonly string[]>,
): void {
  for (const [list, values] of final)
    checkList(
      list,
      values,
      operations.filter((each) => each.list === list),
    );
}

function checkList(
  list: string,
  final: readonly string[],
  operations: readonly ListOperation[],
): void {
  const violated = (what: string): never => {
    throw new SafetyViolation(`list ${list}: ${what}`);
  };
  const places = new Map(final.map((value, at) => [value, at]));
  if (places.size < final.length) violated('a write was applied twice');
  const appends = operations.filter(({ kind }) => kind === 'append');
  for (const { value = '', returnedAt, isRefused } of appends) {
    const isThere = places.has(value);
    if (!isThere && Number.isFinite(returnedAt)) violated(`${value} was acknowledged and is lost`);
    if (isThere && isRefused === true) violated(`${value} was refused and is there`);
  }
  // As intervals over one order: an append stands at its place, a read behind the last value that it shows.
  const placed = operations.flatMap((each) => placeOf(each, places, final, violated));
  const byCall = [...placed].sort((left, right) => left.calledAt - right.calledAt);
  const byReturn = [...placed].sort((left, right) => left.returnedAt - right.returnedAt);
  let [ended, newest] = [0, -1];
  for (const { calledAt, place, leastGap, what } of byCall) {
    for (; (byReturn[ended]?.returnedAt ?? Number.POSITIVE_INFINITY) < calledAt; ended += 1)
      newest = Math.max(newest, byReturn[ended]?.place ?? -1);
    if (place < newest + leastGap)
      violated(`${what} at ${calledAt} does not see what ended before it`);
  }
}

interface Placed {
  readonly calledAt: number;
  readonly returnedAt: number;
  readonly place: number;
  /** An append stands behind everything that ended before it; a read may show just that. */
  readonly leastGap: 0 | 1;
  readonly what: string;
}

function placeOf(
  { kind, value = '', read = [], calledAt, returnedAt }: ListOperation,
  places: ReadonlyMap<string, number>,
  final: readonly string[],
  violated: (what: string) => never,
): Placed[] {
  if (kind === 'append') {
    const place = places.get(value);
    const what = `append ${value}`;
    return place === undefined ? [] : [{ calledAt, returnedAt, place, leastGap: 1, what }];
  }
  if (!Number.isFinite(returnedAt)) return [];
  const isPrefix = read.every((each, at) => final[at] === each);
  if (!isPrefix) violated(`a read at ${calledAt} shows ${read.join(' ')} of ${final.join(' ')}`);
  const what = `a read of ${read.length}`;
  return [{ calledAt, returnedAt, place: read.length - 1, leastGap: 0, what }];
}
