import type { Datum } from '../datum/datum.ts';
import { compareText, emptyObject } from '../datum/object.ts';
import { checkedObject } from '../datum/pseudo-type.ts';
import type { Context } from './compiled.ts';
import { after, inSteps } from './maybe-async.ts';
import { Term } from './term-table.ts';
import { wellFormed } from './term-parts.ts';
import { entryBytes, objectBytes } from './work/size.ts';

/**
 * Terms of megabytes: inserts of many documents, keys by the thousand. Nearly all of such a term is data.
 * One walk through all of it, with pauses, makes the values of those parts that are data alone, so that
 * what is left to be compiled is small, and counts how much that is.
 */

/** Parts of a term that is compiled as it is. */
const smallParts = 2_048;
/** Parts of data that are worth a value of their own. */
const foldedParts = 16;
/** Arrays and objects inside one another: the compiler refuses what is deeper. */
const dataDepthMax = 400;

/** Whether a term has more parts than are compiled in one go. */
export function isLarge(term: unknown): boolean {
  const open: unknown[] = [term];
  for (let left = smallParts; open.length > 0; left -= 1) {
    if (left < 0) return true;
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const parts: readonly unknown[] = Array.isArray(next) ? next : Object.values(next);
    if (parts.length > left) return true;
    for (const part of parts) if (typeof part === 'object' && part !== null) open.push(part);
    left -= parts.length;
  }
  return false;
}

/** What is known of the parts of a large term. */
export interface Survey {
  /** The values of parts that are data alone. */
  readonly data: ReadonlyMap<object, Datum>;
  /** Of parts that have many: how many are to be compiled. */
  readonly parts: ReadonlyMap<object, number>;
}

/** An array or object of the term whose parts are looked at. */
interface Visit {
  readonly part: object;
  readonly children: readonly unknown[];
  /** Names of the fields of an object; undefined for a term. */
  readonly names: readonly string[] | undefined;
  readonly isData: boolean;
  at: number;
  values: Datum[] | undefined;
  /** To be compiled, and of data. */
  parts: number;
  dataParts: number;
  readonly depth: number;
}

export function surveyed(
  term: unknown,
  { arrayLimit, work }: Pick<Context, 'arrayLimit' | 'work'>,
): Survey | Promise<Survey> {
  const survey = new Surveyor(term, arrayLimit);
  const done = inSteps(work, () => {
    work?.spend(unitsPerStep);
    const more = survey.step();
    work?.memory.charge(survey.takeBytes());
    return more;
  });
  return after<Survey>(done, () => survey);
}

const partsPerStep = 256;
const unitsPerStep = 128;

class Surveyor implements Survey {
  readonly data = new Map<object, Datum>();
  readonly parts = new Map<object, number>();
  readonly #arrayLimit: number;
  readonly #visits: Visit[] = [];
  /** Of values that were made since they were asked for. */
  #bytes = 0;

  constructor(term: unknown, arrayLimit: number) {
    this.#arrayLimit = arrayLimit;
    this.#enter(term, 0);
  }

  takeBytes(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  /** Some parts more; false when all have been looked at. */
  step(): boolean {
    for (let left = partsPerStep; left > 0; left -= 1) {
      const visit = this.#visits.at(-1);
      if (visit === undefined) return false;
      if (visit.at < visit.children.length) {
        const child = visit.children[visit.at];
        visit.at += 1;
        if (typeof child === 'object' && child !== null) this.#enter(child, visit.depth + 1);
        else this.#scalar(visit, child as Datum);
      } else this.#leave(visit);
    }
    return true;
  }

  #enter(part: unknown, depth: number): void {
    if (typeof part !== 'object' || part === null) return;
    const isArray = Array.isArray(part) && part[0] === Term.MAKE_ARRAY && part.length === 2;
    const isData = isArray || !Array.isArray(part);
    this.#visits.push({
      part,
      children: childrenOf(part),
      names: Array.isArray(part) ? undefined : Object.keys(part),
      isData,
      at: 0,
      values: isData && depth < dataDepthMax ? [] : undefined,
      parts: 1,
      dataParts: 1,
      depth,
    });
  }

  #scalar(visit: Visit, scalar: Datum): void {
    visit.parts += 1;
    visit.dataParts += 1;
    if (visit.values === undefined) return;
    this.#bytes += entryBytes + (typeof scalar === 'string' ? scalar.length : 0);
    if (isSound(scalar)) visit.values.push(scalar);
    else visit.values = undefined;
  }

  #leave(visit: Visit): void {
    this.#visits.pop();
    const outer = this.#visits.at(-1);
    const datum = this.#datumOf(visit);
    if (datum === undefined) {
      if (visit.parts >= smallParts) this.parts.set(visit.part, visit.parts);
      if (outer === undefined) return;
      outer.values = undefined;
      outer.parts += visit.parts;
      return;
    }
    this.#bytes += objectBytes;
    if (visit.dataParts >= foldedParts) this.#fold(visit, datum);
    if (outer === undefined) return;
    outer.values?.push(datum);
    outer.dataParts += visit.dataParts;
    outer.parts += visit.dataParts >= foldedParts ? 1 : visit.parts;
  }

  /** Only the outermost of them is asked for; that of its parts is forgotten. */
  #fold(visit: Visit, datum: Datum): void {
    for (const child of visit.children)
      if (typeof child === 'object' && child !== null) this.data.delete(child);
    this.data.set(visit.part, datum);
  }

  /** Undefined for a term, and for data with which something is wrong: the compiler says what. */
  #datumOf({ values, names, isData }: Visit): Datum | undefined {
    if (values === undefined || !isData) return undefined;
    if (names === undefined) return values.length > this.#arrayLimit ? undefined : values;
    try {
      return objectWith(names, values);
    } catch {
      return undefined;
    }
  }
}

/** Arguments and options of a term, items of an array, fields of an object. */
function childrenOf(part: object): readonly unknown[] {
  if (!Array.isArray(part)) return Object.values(part);
  const [number, second, third] = part as readonly unknown[];
  if (number === Term.DATUM) return [];
  const args: readonly unknown[] = Array.isArray(second) ? second : [];
  const options = Array.isArray(second) ? third : second;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return args;
  return [...args, ...Object.values(options)];
}

const isSound = (scalar: Datum): boolean => {
  try {
    wellFormed(scalar);
    return true;
  } catch {
    return false;
  }
};

/** As the compiler makes it: in canonical order. */
function objectWith(names: readonly string[], values: readonly Datum[]): Datum {
  const object = emptyObject();
  const order = names.map((name, position) => ({ name: wellFormed(name), position }));
  for (const { name, position } of order.sort((a, b) => compareText(a.name, b.name)))
    object[name] = values[position] as Datum;
  return checkedObject(object);
}
