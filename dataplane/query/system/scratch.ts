import { encodeKey } from '../../datum/key.ts';
import { toHex } from '../../common/bytes.ts';
import type { Datum } from '../../datum/datum.ts';
import { opFailed } from '../failure.ts';
import { entryOf } from './system-table.ts';
import type { SystemTable } from './system-table.ts';

/** `_debug_scratch`: free rows in memory, which the suites of drivers clear between tests. */
const rowsMax = 1_000;

export function scratchTable(): SystemTable {
  const rows = new Map<string, { readonly id: Datum; readonly row: Datum }>();
  return {
    name: '_debug_scratch',
    isHidden: true,
    entries: () => [...rows.values()].map(({ id, row }) => entryOf(id, () => row)),
    write: ({ id, proposed }) => {
      const key = toHex(encodeKey(id));
      if (proposed === null) rows.delete(key);
      else if (rows.has(key) || rows.size < rowsMax) rows.set(key, { id, row: proposed });
      else throw opFailed(`\`rethinkdb._debug_scratch\` takes ${rowsMax} rows: delete some.`);
      return Promise.resolve(proposed);
    },
  };
}
