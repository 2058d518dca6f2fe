import type { Row } from '../../wire/table-access.ts';
import type { Context } from '../compiled.ts';
import type { TableValue } from '../value.ts';

/** Documents of several keys, asked for together: each request on its own would wait for the one before. */

/** Requests under way at a time, of small documents. */
const togetherMax = 64;
/** With more characters in them than that, fewer at a time. */
const charactersMax = 262_144;

export class RowsByKey {
  readonly #table: TableValue;
  readonly #context: Context;
  #together = togetherMax / 16;

  constructor(table: TableValue, context: Context) {
    this.#table = table;
    this.#context = context;
  }

  /** How many keys are best asked for now. */
  get together(): number {
    return this.#together;
  }

  /** In the order of the keys; undefined where there is no key, or no document. */
  async rows(keys: readonly (Uint8Array | undefined)[]): Promise<readonly (Row | undefined)[]> {
    const { deadline } = this.#context;
    const asked = keys.map((key) => {
      if (key === undefined) return undefined;
      const row = this.#table.access.get(key, deadline);
      // A failure is thrown when its turn comes.
      if (row instanceof Promise) row.catch(() => undefined);
      return row;
    });
    const rows: (Row | undefined)[] = [];
    let characters = 0;
    for (const each of asked) {
      const row = each instanceof Promise ? await each : each;
      characters += row?.text.length ?? 0;
      rows.push(row);
    }
    this.#together =
      characters > charactersMax ? 1 : Math.min(togetherMax, 2 * Math.max(1, this.#together));
    return rows;
  }
}
