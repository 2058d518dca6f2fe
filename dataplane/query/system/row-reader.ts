import type { Datum, DatumArray, DatumObject } from '../../datum/datum.ts';
import { fieldOf, isObject, sortedKeys } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import type { RuntimeError } from '../errors.ts';
import { opFailed } from '../failure.ts';

/** Reads rows that clients write into the tables of the configuration, with RethinkDB's sentences. */
export class RowReader {
  readonly #row: DatumObject;
  readonly #read = new Set<string>();
  /** What an error begins with. */
  readonly #prefix: string;

  constructor(row: Datum, prefix: string) {
    this.#prefix = prefix;
    if (!isObject(row)) throw this.failure(`Expected an object; got ${prettyText(row)}`);
    this.#row = row;
  }

  failure(message: string): RuntimeError {
    return opFailed(`${this.#prefix}${message}`);
  }

  has(name: string): boolean {
    return fieldOf(this.#row, name) !== undefined;
  }

  field(name: string): Datum {
    const value = this.optional(name);
    if (value === undefined) throw this.failure(`Expected a field named \`${name}\`.`);
    return value;
  }

  optional(name: string): Datum | undefined {
    this.#read.add(name);
    return fieldOf(this.#row, name);
  }

  text(name: string): string {
    const value = this.field(name);
    if (typeof value === 'string') return value;
    throw this.failure(`In \`${name}\`: Expected a string; got ${prettyText(value)}`);
  }

  /** The name of a thing; `what` it is appears in errors. */
  name(field: string, what: string, where = `In \`${field}\`: `): string {
    const value = this.field(field);
    if (typeof value !== 'string')
      throw this.failure(`${where}Expected a ${what}; got ${prettyText(value)}`);
    if (/^[A-Za-z0-9_-]+$/.test(value)) return value;
    throw this.failure(
      `${where}${prettyText(value)} is not a valid ${what}; Use A-Z, a-z, 0-9, _ and - only`,
    );
  }

  oneOf<T extends string>(field: string, values: readonly [T, T], between: string): T {
    const value = this.field(field);
    const found = values.find((each) => each === value);
    if (found !== undefined) return found;
    const [first, second] = values;
    throw this.failure(
      `In \`${field}\`: Expected "${first}" or "${second}", got${between} ${prettyText(value)}`,
    );
  }

  array(field: string, where = ''): DatumArray {
    const value = this.field(field);
    if (Array.isArray(value)) return value as DatumArray;
    throw this.failure(`${where}Expected an array, got ${prettyText(value)}`);
  }

  /** Refuses fields that nobody has read. */
  end(): void {
    const extra = sortedKeys(this.#row).filter((name) => !this.#read.has(name));
    if (extra.length > 0) throw this.failure(`Unexpected key(s): ${extra.join(' ')}`);
  }
}
