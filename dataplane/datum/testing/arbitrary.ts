import * as fc from 'fast-check';
import type { Datum } from '../datum.ts';

/** Values of ReQL for properties: few enough of each kind that equal ones and neighbours meet. */

const numbers: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(-0, 0.5, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 5e-324, 1.7e308, -1.7e308),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const texts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'ab', 'a\u0000', '\u0000', '\uffff', '\u{10000}', 'é', '"'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
);

const binaries: fc.Arbitrary<Datum> = fc
  .uint8Array({ maxLength: 6 })
  .map((bytes) => ({ $reql_type$: 'BINARY', data: Buffer.from(bytes).toString('base64') }));

const zones = fc.constantFrom('+00:00', '-07:00', '+05:30', '-00:30', '+23:59');

/** From the year 1400 to the year 9998 in every zone, with milliseconds. */
export const times: fc.Arbitrary<Datum> = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: -2, max: 2 }),
      fc.integer({ min: -17_987_300_000, max: 253_370_764_799 }),
    ),
    fc.integer({ min: 0, max: 999 }),
    zones,
  )
  .map(([seconds, milliseconds, timezone]) => ({
    $reql_type$: 'TIME',
    epoch_time: Math.round(seconds * 1_000 + milliseconds) / 1_000,
    timezone,
  }));

const names = fc.oneof(
  fc.constantFrom('a', 'b', 'id', '__proto__', 'constructor', '1', ''),
  fc.string({ maxLength: 3 }),
);

const scalars: fc.Arbitrary<Datum> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  numbers,
  texts,
  binaries,
  times,
);

/** Any value that a table may hold. */
export const datums: fc.Arbitrary<Datum> = fc.letrec<{ datum: Datum }>((tie) => ({
  datum: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalars,
    fc.array(tie('datum'), { maxLength: 4 }),
    fc.dictionary(names, tie('datum'), { maxKeys: 3, noNullPrototype: false }),
  ),
})).datum;

/** Any primary key that is short enough. */
export const primaryKeys: fc.Arbitrary<Datum> = fc.oneof(
  fc.boolean(),
  numbers,
  fc.constantFrom('a', 'b', 'ab', 'é', '\u{10000}'),
  binaries,
  times,
  fc.array(fc.oneof(fc.boolean(), numbers, fc.constantFrom('a', 'b')), { maxLength: 3 }),
);

/** A document with the primary key `id`. */
export const documents: fc.Arbitrary<Record<string, Datum>> = fc
  .tuple(primaryKeys, fc.dictionary(names, datums, { maxKeys: 4, noNullPrototype: false }))
  .map(([id, fields]) => ({ ...fields, id }));
