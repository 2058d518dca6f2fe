import type { Datum } from './datum.ts';
import { fieldOf, isObject, pseudoType } from './object.ts';

/** Whether the time in a field of a document is over. What is no time never is. */
export function isDue(document: Datum, field: string, nowMs: number): boolean {
  const time = document !== null && isObject(document) ? fieldOf(document, field) : undefined;
  if (time === undefined || time === null || !isObject(time)) return false;
  if (pseudoType(time) !== 'TIME') return false;
  const seconds = fieldOf(time, 'epoch_time');
  return typeof seconds === 'number' && seconds * 1_000 <= nowMs;
}
