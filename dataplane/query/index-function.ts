import type { Datum } from '../datum/datum.ts';
import { DatumSet } from '../datum/datum-map.ts';
import { encodeKey } from '../datum/key.ts';
import { fieldOf, isObject } from '../datum/object.ts';
import { parseText } from '../datum/text.ts';
import { compile } from './compile.ts';
import { noScope } from './compiled.ts';
import type { Context } from './compiled.ts';
import { datumOf, FunctionValue } from './value.ts';

/** Index keys of a document by a definition of `indexCreate`; a document that gives none has no entry. */
export function compileIndex(
  definition: string,
  multi: boolean,
  geo: boolean,
): (documentText: string) => readonly Uint8Array[] {
  if (geo) return () => [];
  const valuesOf = compileIndexValues(definition, multi);
  return (text) => valuesOf(parseText(text)).map(encodeKey);
}

/** The values behind those keys: each once, and never null. */
export function compileIndexValues(
  definition: string,
  multi: boolean,
): (document: Datum) => readonly Datum[] {
  const keyOf = keyFunction(definition);
  return (document) => {
    const key = guarded(() => keyOf(document));
    if (key === undefined || key === null) return [];
    const keys = multi && Array.isArray(key) ? (key as Datum[]) : [key];
    return [...new DatumSet(keys.filter((each) => each !== null)).values()];
  };
}

/**
 * A document that the function does not fit has no entry. Nor has one for which the engine has a fault
 * of its own: the log has the document, and whoever applies it must come to an end.
 */
function guarded(run: () => Datum | undefined): Datum | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

function keyFunction(definition: string): (document: Datum) => Datum | undefined {
  const term = JSON.parse(definition) as unknown;
  if (typeof term === 'string')
    return (document) => (isObject(document) ? fieldOf(document, term) : undefined);
  const context = {
    signal: new AbortController().signal,
    arrayLimit: 100_000,
    termOptions: new Map(),
    indexValues: compileIndexValues,
  } as Partial<Context> as Context;
  const node = compile(term, context);
  const index = node.run(noScope);
  if (!(index instanceof FunctionValue) || !index.pure) return () => undefined;
  return (document) => {
    const key = index.call([document]);
    if (!(key instanceof Promise)) return datumOf(key);
    // What has to wait (a stream, or the refusal of one) is no key, whatever comes of it.
    key.catch(() => undefined);
    return undefined;
  };
}
