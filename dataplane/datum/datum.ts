/**
 * The values of ReQL as the engine holds them: what JSON.parse gives. Pseudo-types (time, binary,
 * geometry) are objects with the field `$reql_type$`, as on the wire.
 *
 * NB: an object may carry keys such as `__proto__` or `1`: read a field only through
 * `Object.hasOwn`, build objects only with a null prototype, and never rely on key order
 * (canonical text sorts keys by their UTF-8 bytes).
 */
export type Datum = null | boolean | number | string | DatumArray | DatumObject;
export type DatumArray = readonly Datum[];
export interface DatumObject {
  readonly [key: string]: Datum;
}
