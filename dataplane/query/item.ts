import type { Datum } from '../datum/datum.ts';
import { fieldOfText } from '../datum/field-of-text.ts';
import type { FieldName } from '../datum/field-of-text.ts';
import { parseText } from '../datum/text.ts';
import type { Made } from '../wire/pushed-scan.ts';
import type { Row } from '../wire/table-access.ts';

/** What a sequence consists of: values, and documents as the store has them. */
/** A stored document: its text is answered as it is; it is parsed when somebody looks inside. */
export class StoredRow {
  readonly key: Uint8Array;
  readonly text: string;
  /** The encoded index value that it was found by; its key when it was found by that. */
  readonly indexKey: Uint8Array;
  /** By operations of the scan that it came from. */
  readonly made: Made | undefined;
  #datum: Datum | undefined;

  constructor(row: Row & { readonly indexKey?: Uint8Array }) {
    this.key = row.key;
    this.text = row.text;
    this.indexKey = row.indexKey ?? row.key;
    this.made = row.made;
  }

  get datum(): Datum {
    this.#datum ??= parseText(this.text);
    return this.#datum;
  }

  /** An object of these fields of the document alone; all of it when they are not all found in its text. */
  part(fields: readonly FieldName[]): Datum {
    if (this.#datum !== undefined) return this.#datum;
    const part: Record<string, Datum> = {};
    for (const field of fields) {
      const value = fieldOfText(this.text, field);
      if (value === undefined) return this.datum;
      part[field.name] = value;
    }
    return part;
  }
}

export type Item = Datum | StoredRow;

/** What a function is called with, which reads no other fields of a document than those. */
export const argumentOf = (item: Item, fields: readonly FieldName[] | undefined): Datum =>
  item instanceof StoredRow && fields !== undefined ? item.part(fields) : datumOfItem(item);

export const datumOfItem = (item: Item): Datum => (item instanceof StoredRow ? item.datum : item);
