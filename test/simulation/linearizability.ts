/**
 * Decides whether the history of one register can be explained by operations that each happen at one
 * moment between their call and their return (Wing and Gong 1993, with Lowe's memory of configurations).
 * Registers are independent of one another, so a history is checked for each of them alone.
 */
export interface Operation {
  readonly kind: 'read' | 'write';
  /** Written, or read; undefined: never written. */
  readonly value: string | undefined;
  readonly calledAt: number;
  /** Infinity: the outcome is unknown, it may have happened at any time after the call or never. */
  readonly returnedAt: number;
}

/** Operations that were not explained together when the search ended. */
export interface Verdict {
  readonly isLinearizable: boolean;
  readonly unexplained: readonly Operation[];
}

/** More configurations mean that the history is too large to decide: a fault of the test, not of the system. */
const configurationsMax = 2_000_000;

export function checkRegister(history: readonly Operation[]): Verdict {
  const read = new Set(
    history
      .filter(({ kind, returnedAt }) => kind === 'read' && Number.isFinite(returnedAt))
      .map(({ value }) => value),
  );
  // A read that never returned constrains nothing, nor does a write that no read has to have seen.
  const operations = history
    .filter(
      ({ kind, value, returnedAt }) =>
        Number.isFinite(returnedAt) || (kind === 'write' && read.has(value)),
    )
    .sort((left, right) => left.calledAt - right.calledAt);
  const seen = new Set<string>();
  const needed = operations.filter(({ returnedAt }) => Number.isFinite(returnedAt)).length;
  let best: { done: number; state: Configuration } | undefined;
  const stack: Configuration[] = [
    { done: new Uint8Array(operations.length), count: 0, value: undefined },
  ];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.count === needed) return { isLinearizable: true, unexplained: [] };
    if (best === undefined || next.count > best.done) best = { done: next.count, state: next };
    // The earliest first: a stack hands out what came last.
    for (const successor of [...successors(operations, next)].reverse()) {
      const key = `${successor.value ?? '-'}|${bits(successor.done)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > configurationsMax) throw new Error('the history is too large to be decided');
      stack.push(successor);
    }
  }
  const unexplained = operations.filter((_, at) => best?.state.done[at] !== 1);
  return { isLinearizable: false, unexplained };
}

interface Configuration {
  readonly done: Uint8Array;
  /** How many of those that certainly returned are done. */
  readonly count: number;
  readonly value: string | undefined;
}

/** Everything before the first operation that is not done is done, everything behind the last is not. */
const bits = (done: Uint8Array): string => {
  const first = done.indexOf(0);
  return first === -1
    ? 'all'
    : `${first}:${String.fromCharCode(...done.subarray(first, done.lastIndexOf(1) + 1))}`;
};

/** Each operation that may be the next: none of the others returned before it was called. */
function* successors(
  operations: readonly Operation[],
  { done, count, value }: Configuration,
): Generator<Configuration> {
  const first = done.indexOf(0);
  if (first === -1) return;
  let earliestReturn = Number.POSITIVE_INFINITY;
  const isOpen = ({ calledAt }: Operation): boolean => calledAt <= earliestReturn;
  // In the order of calls: behind the first one that came too late, all came too late.
  for (let at = first; at < operations.length; at += 1) {
    const { calledAt, returnedAt } = operations[at] as Operation;
    if (calledAt > earliestReturn) break;
    if (done[at] !== 1) earliestReturn = Math.min(earliestReturn, returnedAt);
  }
  for (let at = first; at < operations.length; at += 1) {
    const operation = operations[at] as Operation;
    if (!isOpen(operation)) break;
    if (done[at] === 1) continue;
    if (operation.kind === 'read' && operation.value !== value) continue;
    const next = done.slice();
    next[at] = 1;
    yield {
      done: next,
      count: count + (Number.isFinite(operation.returnedAt) ? 1 : 0),
      value: operation.kind === 'write' ? operation.value : value,
    };
  }
}
