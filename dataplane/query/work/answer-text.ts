import { answerPart } from '../../datum/document.ts';
import type { Datum, DatumArray, DatumObject } from '../../datum/datum.ts';
import { tooDeep, tooLarge } from '../../datum/errors.ts';
import { datumDepthMax, datumTextMax } from '../../datum/limits.ts';
import { isObject, pseudoType, sortedKeys } from '../../datum/object.ts';
import { canonicalPart, canonicalText } from '../../datum/text.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { StoredRow } from '../item.ts';
import type { Item } from '../item.ts';
import { isSmall, isTextEndless, quickSizeOf } from './size.ts';
import type { Work } from './work.ts';

/**
 * The text of a value, made with pauses: what is small is written in one go, what is large part by part. It
 * is the text that the writer makes of the whole.
 */
export type TextWriter = (datum: Datum, depth: number) => string;

/** Bytes of what is written in one go. */
const smallBytes = 65_536;

type Text = string | Promise<string>;

export function writtenIn(datum: Datum, write: TextWriter, work: Work | undefined): Text {
  if (work === undefined) return write(datum, 0);
  const writer = new SlicedWriter(write, work);
  if (isSmall(datum, smallBytes)) return writer.small(datum, 0);
  if (isTextEndless(datum, datumTextMax)) throw tooLarge();
  return writer.text(datum, 0);
}

/** As it is answered. */
export const textIn = (datum: Datum, work: Work | undefined): Text =>
  writtenIn(datum, answerPart, work);

export const canonicalTextIn = (datum: Datum, work: Work | undefined): Text =>
  writtenIn(datum, canonicalPart, work);

export const itemTextIn = (item: Item, work: Work | undefined): Text =>
  item instanceof StoredRow ? item.text : textIn(item, work);

class SlicedWriter {
  readonly #write: TextWriter;
  readonly #work: Work;
  #length = 0;

  constructor(write: TextWriter, work: Work) {
    this.#write = write;
    this.#work = work;
  }

  small(datum: Datum, depth: number): string {
    const text = this.#write(datum, depth);
    this.#work.spend(text.length / charactersPerUnit);
    return text;
  }

  text(datum: Datum, depth: number): Text {
    if (typeof datum !== 'object' || datum === null || isSmall(datum, smallBytes))
      return this.#counted(this.small(datum, depth));
    if (depth >= datumDepthMax) throw tooDeep();
    return isObject(datum) ? this.#object(datum, depth) : this.#array(datum, depth);
  }

  /** Items that are small are written together. */
  #array(array: DatumArray, depth: number): Text {
    const parts: string[] = [];
    let small: Datum[] = [];
    let bytes = 0;
    const flush = (): void => {
      if (small.length === 0) return;
      const text = this.small(small, depth);
      parts.push(this.#counted(text.slice(1, -1)));
      small = [];
      bytes = 0;
    };
    const done = eachOf(array, this.#work, (item) => {
      const size = quickSizeOf(item) ?? Number.POSITIVE_INFINITY;
      if (bytes + size > smallBytes) flush();
      if (size > smallBytes)
        return whenDone(this.text(item, depth + 1), (text) => void parts.push(text));
      small.push(item);
      bytes += size;
      return undefined;
    });
    return after(done, () => {
      flush();
      return `[${parts.join(',')}]`;
    });
  }

  #object(object: DatumObject, depth: number): Text {
    // A binary or a literal is judged as a whole.
    if (pseudoType(object) !== undefined) return this.#counted(this.small(object, depth));
    const parts: string[] = [];
    const done = eachOf(sortedKeys(object), this.#work, (key) =>
      whenDone(this.text(object[key] as Datum, depth + 1), (text) => {
        parts.push(`${this.#counted(canonicalText(key))}:${text}`);
      }),
    );
    return after(done, () => `{${parts.join(',')}}`);
  }

  #counted(text: string): string {
    this.#length += text.length;
    if (this.#length > datumTextMax) throw tooLarge();
    this.#work.memory.charge(text.length);
    return text;
  }
}

/** Of JSON that is written. */
const charactersPerUnit = 32;
