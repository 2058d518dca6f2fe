import type { Datum } from '../datum/datum.ts';
import { compareText, emptyObject } from '../datum/object.ts';
import { checkedObject } from '../datum/pseudo-type.ts';
import type { Context } from './compiled.ts';
import { after, eachOf, inSteps, whenDone } from './maybe-async.ts';
import { Term } from './term-table.ts';
import { wellFormed } from './term-parts.ts';
import { fieldsAtOnce } from './work/large-objects.ts';
import { sortedBy } from './work/merge-sort.ts';
import type { Order } from './work/merge-sort.ts';
import { entryBytes, objectBytes } from './work/size.ts';
import type { Work } from './work/work.ts';

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
    const parts = partsWithin(next, left);
    if (parts === undefined) return true;
    for (const part of parts) if (typeof part === 'object' && part !== null) open.push(part);
    left -= parts.length;
  }
  return false;
}

/** The parts of an array or object; undefined for more of them. */
function partsWithin(part: object, most: number): readonly unknown[] | undefined {
  if (Array.isArray(part)) return part.length > most ? undefined : part;
  // The names of a large object are there in half the time that its values take.
  const names = Object.keys(part);
  return names.length > most ? undefined : names.map((_, at) => valueAt(part, names, at));
}

const valueAt = (object: object, names: readonly string[], at: number): unknown =>
  (object as Readonly<Record<string, unknown>>)[names[at] as string];

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
  /** Of a term; those of an object have names. */
  readonly children: readonly unknown[];
  /** Names of the fields of an object; undefined for a term. */
  readonly names: readonly string[] | undefined;
  readonly size: number;
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
  const survey = new Surveyor(term, arrayLimit, work);
  const done = inSteps(work, () => {
    work?.spend(unitsPerStep);
    return whenDone(survey.step(), (more) => {
      work?.memory.charge(survey.takeBytes());
      return more;
    });
  });
  return after<Survey>(done, () => survey);
}

const partsPerStep = 256;
const unitsPerStep = 128;

class Surveyor implements Survey {
  readonly data = new Map<object, Datum>();
  readonly parts = new Map<object, number>();
  readonly #arrayLimit: number;
  readonly #work: Work | undefined;
  readonly #visits: Visit[] = [];
  /** Of values that were made since they were asked for. */
  #bytes = 0;

  constructor(term: unknown, arrayLimit: number, work: Work | undefined) {
    this.#arrayLimit = arrayLimit;
    this.#work = work;
    this.#enter(term, 0);
  }

  takeBytes(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  /** Some parts more; false when all have been looked at. */
  step(): boolean | Promise<boolean> {
    for (let left = partsPerStep; left > 0; left -= 1) {
      const visit = this.#visits.at(-1);
      if (visit === undefined) return false;
      if (visit.at < visit.size) {
        const child = childAt(visit, visit.at);
        visit.at += 1;
        if (typeof child === 'object' && child !== null) this.#enter(child, visit.depth + 1);
        else this.#scalar(visit, child as Datum);
      } else {
        const left = this.#leave(visit);
        if (left instanceof Promise) return left;
      }
    }
    return true;
  }

  #enter(part: unknown, depth: number): void {
    if (typeof part !== 'object' || part === null) return;
    const isArray = Array.isArray(part) && part[0] === Term.MAKE_ARRAY && part.length === 2;
    const isData = isArray || !Array.isArray(part);
    const names = Array.isArray(part) ? undefined : Object.keys(part);
    const children = Array.isArray(part) ? childrenOf(part) : [];
    this.#visits.push({
      part,
      children,
      names,
      size: names?.length ?? children.length,
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

  /** There is more; a promise when a large object is made of its fields. */
  #leave(visit: Visit): true | Promise<true> {
    this.#visits.pop();
    return whenDone<Datum | undefined, true>(this.#datumOf(visit), (datum) => {
      this.#keep(visit, datum);
      return true;
    });
  }

  #keep(visit: Visit, datum: Datum | undefined): void {
    const outer = this.#visits.at(-1);
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
    for (let at = 0; at < visit.size && this.data.size > 0; at += 1) {
      const child = childAt(visit, at);
      if (typeof child === 'object' && child !== null) this.data.delete(child);
    }
    this.data.set(visit.part, datum);
  }

  /** Undefined for a term, and for data with which something is wrong: the compiler says what. */
  #datumOf({ values, names, isData }: Visit): Datum | undefined | Promise<Datum | undefined> {
    if (values === undefined || !isData) return undefined;
    if (names === undefined) return values.length > this.#arrayLimit ? undefined : values;
    const refused = (): undefined => undefined;
    try {
      const object = objectWith(names, values, this.#work);
      return object instanceof Promise ? object.catch(refused) : object;
    } catch {
      return refused();
    }
  }
}

const childAt = ({ part, names, children }: Visit, at: number): unknown =>
  names === undefined ? children[at] : valueAt(part, names, at);

/** Arguments and options of a term, items of an array. */
function childrenOf(part: readonly unknown[]): readonly unknown[] {
  const [number, second, third] = part;
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
function objectWith(
  names: readonly string[],
  values: readonly Datum[],
  work: Work | undefined,
): Datum | Promise<Datum> {
  const object = emptyObject();
  const fields = names.map((name, position) => ({ name: wellFormed(name), position }));
  const pauses = names.length > fieldsAtOnce ? work : undefined;
  return whenDone(sortedBy(fields, byName, pauses), (ordered) =>
    after<Datum>(
      eachOf(ordered, pauses, ({ name, position }) => {
        object[name] = values[position] as Datum;
      }),
      () => checkedObject(object),
    ),
  );
}

const byName: Order<{ readonly name: string }> = {
  compare: (a, b) => compareText(a.name, b.name),
  units: () => 1,
};
