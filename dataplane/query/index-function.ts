import type { Datum } from '../datum/datum.ts';
import { DatumSet } from '../datum/datum-map.ts';
import { encodeKey } from '../datum/key.ts';
import { fieldOf, isObject } from '../datum/object.ts';
import { parseText } from '../datum/text.ts';
import { compile } from './compile.ts';
import { noScope } from './scope.ts';
import type { Context } from './compiled.ts';
import { InvalidDatumError } from '../datum/errors.ts';
import { RuntimeError } from './errors.ts';
import { Fuel, documentFuelOf, OutOfFuelError } from './fuel.ts';
import { datumOf } from './value-reading.ts';
import { FunctionValue } from './value.ts';

/**
 * Index keys of a document by a definition of `indexCreate`. A document that gives none has no entry:
 * one that the function does not fit, one on which it needs too much (`query/fuel.ts`), and one for which
 * the engine has a fault of its own. The log has the document, and whoever applies it must come to an
 * end, the same one on each replica.
 */
export function compileIndex(
  definition: string,
  multi: boolean,
  geo: boolean,
  /** Called with each evaluation that ended in neither a value nor a refusal of the function. */
  failed: (error: unknown) => void = () => undefined,
): (documentText: string) => readonly Uint8Array[] {
  if (geo) return () => [];
  const keysOf = indexKeys(definition, multi);
  return (text) => {
    try {
      const keys = keysOf(parseText(text), documentFuelOf(text.length));
      // One is like no other.
      return keys.length === 1 ? [encodeKey(keys[0] as Datum)] : distinct(keys).map(encodeKey);
    } catch (error) {
      if (isMisfit(error)) return [];
      // How deep the stack goes is not the same everywhere: nobody may rely on what comes of it.
      if (isStackOverflow(error)) throw error;
      failed(error);
      return [];
    }
  };
}

/** What the function or its document says: as much a result as a key. */
const isMisfit = (error: unknown): boolean =>
  error instanceof RuntimeError ||
  error instanceof InvalidDatumError ||
  error instanceof SyntaxError;

/** Nesting is bounded everywhere (`datumDepthMax`), so that this is a fault. */
const isStackOverflow = (error: unknown): boolean =>
  error instanceof RangeError && /call stack/i.test(error.message);

/** The values behind those keys, for queries that read them: each once, and never null. */
export function compileIndexValues(
  definition: string,
  multi: boolean,
): (document: Datum) => readonly Datum[] {
  const keysOf = indexKeys(definition, multi);
  return (document) => {
    try {
      return distinct(keysOf(document, documentFuelOf(Number.POSITIVE_INFINITY)));
    } catch {
      return [];
    }
  };
}

const distinct = (keys: readonly Datum[]): Datum[] => [...new DatumSet(keys).values()];

/** None of them is null. */
function indexKeys(
  definition: string,
  multi: boolean,
): (document: Datum, fuel: number) => readonly Datum[] {
  const keyOf = keyFunction(definition);
  return (document, fuel) => {
    const key = keyOf(document, fuel);
    if (key === undefined || key === null) return [];
    if (!multi || !Array.isArray(key)) return [key];
    return (key as Datum[]).filter((each) => each !== null);
  };
}

/** For streams, which wait: they end before they begin. */
const nothingWaits = AbortSignal.abort(new OutOfFuelError(0));

function keyFunction(definition: string): (document: Datum, units: number) => Datum | undefined {
  const term = JSON.parse(definition) as unknown;
  if (typeof term === 'string')
    return (document) => (isObject(document) ? fieldOf(document, term) : undefined);
  const fuel = new Fuel(documentFuelOf(0));
  const context = {
    deadline: { signal: nothingWaits },
    arrayLimit: 100_000,
    termOptions: new Map(),
    indexValues: compileIndexValues,
    fuel,
  } as Partial<Context> as Context;
  const node = compile(term, context);
  const index = node.run(noScope);
  if (!(index instanceof FunctionValue) || !index.pure) return () => undefined;
  return (document, units) => {
    fuel.refill(units);
    const key = index.call([document]);
    if (!(key instanceof Promise)) return datumOf(key);
    // What has to wait (a stream, or the refusal of one) is no key, whatever comes of it.
    key.catch(() => undefined);
    return undefined;
  };
}
