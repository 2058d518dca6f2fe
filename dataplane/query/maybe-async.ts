import { isMissing } from './failure.ts';
import type { Work } from './work/work.ts';

/**
 * Steps that need to wait now and then, written once. What they answer is there at once whenever nothing had
 * to wait, which is nearly always: promises cost more than most terms. A step waits for a table, or because
 * the slice of its query is over.
 */

/** `use` of the value, waiting only when that must be waited for. */
export function whenDone<T, U>(
  value: T | Promise<T>,
  use: (value: T) => U | Promise<U>,
): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** `step` after `first`, waiting only when `first` does. */
export function after<T>(
  first: undefined | Promise<void>,
  step: () => T | Promise<T>,
): T | Promise<T> {
  return first === undefined ? step() : first.then(step);
}

type Step = () => boolean | Promise<boolean>;

/** Steps until one answers that there is no more, with pauses between them. */
export function inSteps(work: Work | undefined, step: Step): undefined | Promise<void> {
  for (;;) {
    if (work?.isDue === true) return stepsLater(work, step, true);
    const more = step();
    if (more instanceof Promise) return stepsLater(work, step, more);
    if (!more) return undefined;
  }
}

async function stepsLater(
  work: Work | undefined,
  step: Step,
  before: boolean | Promise<boolean>,
): Promise<void> {
  let more = await before;
  while (more) {
    if (work?.isDue === true) await work.pause();
    const next = step();
    more = next instanceof Promise ? await next : next;
  }
}

/** Each item in order, with pauses; `step` answers true to stop. */
export function eachOf<T>(
  items: readonly T[],
  work: Work | undefined,
  step: (item: T, position: number) => unknown,
): undefined | Promise<void> {
  for (let at = 0; at < items.length; at += 1) {
    if (work !== undefined) {
      work.spend(1);
      if (work.isDue) return eachLater(items, work, step, { at, result: undefined });
    }
    const result = step(items[at] as T, at);
    if (result instanceof Promise) return eachLater(items, work, step, { at: at + 1, result });
    if (result === true) return undefined;
  }
  return undefined;
}

/** The rest, from the first item that made it wait. */
async function eachLater<T>(
  items: readonly T[],
  work: Work | undefined,
  step: (item: T, position: number) => unknown,
  from: { readonly at: number; readonly result: Promise<unknown> | undefined },
): Promise<void> {
  let stop = await from.result;
  for (let { at } = from; at < items.length && stop !== true; at += 1) {
    if (work !== undefined) {
      if (at > from.at) work.spend(1);
      if (work.isDue) await work.pause();
    }
    const result = step(items[at] as T, at);
    stop = result instanceof Promise ? await result : result;
  }
}

/** What becomes of each item, in order, with pauses. */
export function mapOf<T, U>(
  items: readonly T[],
  work: Work | undefined,
  each: (item: T, position: number) => U | Promise<U>,
): U[] | Promise<U[]> {
  const results: U[] = [];
  const keep = (result: U): void => void results.push(result);
  const done = eachOf(items, work, (item, position) => whenDone(each(item, position), keep));
  return after(done, () => results);
}

/** What `compute` answers, or `absent` when it asks for something that is not there. */
export function orAbsent<T, A>(compute: () => T | Promise<T>, absent: A): T | A | Promise<T | A> {
  const forgive = (error: unknown): A => {
    if (isMissing(error)) return absent;
    throw error;
  };
  try {
    const value = compute();
    return value instanceof Promise ? value.catch(forgive) : value;
  } catch (error) {
    return forgive(error);
  }
}
