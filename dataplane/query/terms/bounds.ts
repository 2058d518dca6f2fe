import { assert } from '../../common/assert.ts';
import { concatBytes, successorOfPrefix } from '../../common/bytes.ts';
import { encodeKey } from '../../datum/key.ts';
import { keyPartsMax } from '../../datum/limits.ts';
import { Walk } from '../../datum/walk.ts';
import type { Datum } from '../../datum/datum.ts';
import type { EncodedRange } from '../../wire/table-access.ts';
import { about, logic, nonExistence } from '../failure.ts';
import type { BoundSides } from '../bound-sides.ts';
import { datumOf } from '../value-reading.ts';
import { BoundArray, BoundValue } from '../value.ts';
import type { Value } from '../value.ts';

/** Keys and ranges of keys as bytes. */

/** The first key behind all that begin with these bytes. */
export function keyEnd(key: Uint8Array): Uint8Array {
  const next = successorOfPrefix(key);
  assert(next !== undefined, 'a key begins with its tag, which is not the greatest byte');
  return next;
}

/** The key of `getAll`: null is none. */
export function lookupKey(value: Value): Datum {
  const datum = datumOf(value);
  if (datum === null) throw about(nonExistence('Keys cannot be NULL.'), value);
  return datum;
}

const arrayStart = Uint8Array.of(0x10);
const arrayEnd = Uint8Array.of(0x01);
/** Before and behind every value inside an array. */
const innerBound = { minval: Uint8Array.of(0x02), maxval: Uint8Array.of(0xff) };

/** The key of a bound, which no document has. */
export function boundKey(value: Value): Uint8Array {
  return keyWithBounds(value, { walk: new Walk(keyPartsMax), depth: 0 });
}

function keyWithBounds(
  value: Value,
  { walk, depth }: { readonly walk: Walk; readonly depth: number },
): Uint8Array {
  if (value instanceof BoundValue) return innerBound[value.end];
  if (!(value instanceof BoundArray)) return encodeKey(datumOf(value));
  const inside = { walk, depth: walk.into(depth, value.items.length) };
  const items = value.items.map((item) => keyWithBounds(item, inside));
  return concatBytes([arrayStart, ...items, arrayEnd]);
}

function refuseNull(bound: Value): void {
  if (bound instanceof BoundValue || bound instanceof BoundArray || datumOf(bound) !== null) return;
  throw about(
    logic('Cannot use `null` in BETWEEN, use `r.minval` or `r.maxval` to denote unboundedness.'),
    bound,
  );
}

/** The range between two values; undefined when nothing can be in it. */
export function boundedRange(
  [low = null, high = null]: readonly Value[],
  sides: BoundSides,
): EncodedRange | undefined {
  [low, high].forEach(refuseNull);
  const openLeft = sides.left_bound === 'open';
  const closedRight = sides.right_bound === 'closed';
  const isEnd = (bound: Value, end: string): boolean =>
    bound instanceof BoundValue && bound.end === end;
  if (isEnd(low, 'maxval') || isEnd(high, 'minval')) return undefined;
  const start = low instanceof BoundValue ? undefined : boundKey(low);
  const end = high instanceof BoundValue ? undefined : boundKey(high);
  return {
    ...(start === undefined ? {} : { start: openLeft ? keyEnd(start) : start }),
    ...(end === undefined ? {} : { end: closedRight ? keyEnd(end) : end }),
  };
}
