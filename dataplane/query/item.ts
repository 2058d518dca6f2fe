import type { Datum } from '../datum/datum.ts';
import { parseText } from '../datum/text.ts';
import type { Row } from '../wire/table-access.ts';

/** What a sequence consists of: values, and documents as the store has them. */
/** A stored document: its text is answered as it is; it is parsed when somebody looks inside. */
export class StoredRow {
  readonly key: Uint8Array;
  readonly text: string;
  /** The encoded index value that it was found by; its key when it was found by that. */
  readonly indexKey: Uint8Array;
  #datum: Datum | undefined;

  constructor(row: Row & { readonly indexKey?: Uint8Array }) {
    this.key = row.key;
    this.text = row.text;
    this.indexKey = row.indexKey ?? row.key;
  }

  get datum(): Datum {
    this.#datum ??= parseText(this.text);
    return this.#datum;
  }
}

export type Item = Datum | StoredRow;

export const datumOfItem = (item: Item): Datum => (item instanceof StoredRow ? item.datum : item);
