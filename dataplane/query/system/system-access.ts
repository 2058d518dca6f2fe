import { compareBytes, equalBytes } from '../../common/bytes.ts';
import type { Datum } from '../../datum/datum.ts';
import { validDocument } from '../../datum/document.ts';
import { InvalidDatumError } from '../../datum/errors.ts';
import { encodeKey } from '../../datum/key.ts';
import { fieldOf, isObject } from '../../datum/object.ts';
import { canonicalText, parseText } from '../../datum/text.ts';
import type { Edit, EditOutcome, TableAccess } from '../environment.ts';
import type { EncodedRange, Row } from '../../wire/table-access.ts';
import { RuntimeError } from '../errors.ts';
import { opFailed } from '../failure.ts';
import type { SystemTable, SystemView } from './system-table.ts';

/** Reads and writes of a system table as of any other. One write is evaluated and made at a time. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

/** Works one after the other. */
export function exclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };
}

const within = (key: Uint8Array, { start, end }: EncodedRange): boolean =>
  (start === undefined || compareBytes(key, start) >= 0) &&
  (end === undefined || compareBytes(key, end) < 0);

interface Found {
  readonly key: Uint8Array;
  readonly row: () => Datum;
}

export function systemAccess(
  table: SystemTable,
  { view, turn }: { view: SystemView; turn: Exclusive },
): TableAccess {
  const entries = async (): Promise<Found[]> =>
    (await table.entries(view)).map(({ id, row }) => ({ key: encodeKey(id), row }));
  const rowAt = async (key: Uint8Array): Promise<Row | undefined> => {
    const found = (await entries()).find((entry) => equalBytes(entry.key, key));
    return found === undefined ? undefined : { key, text: canonicalText(found.row()) };
  };
  return {
    get: rowAt,
    scan: (range, order) => rowScan(entries, range, order),
    scanIndex: (name) => {
      throw opFailed(`Index \`${name}\` was not found on table \`rethinkdb.${table.name}\`.`);
    },
    count: async () => (await table.entries(view)).length,
    edit: (edits) =>
      turn(async () => {
        const outcomes: EditOutcome[] = [];
        for (const edit of edits) outcomes.push(await editRow(edit, table, { view, rowAt }));
        return outcomes;
      }),
    sync: () => Promise.reject(opFailed("Artificial tables don't support `sync()`.")),
  };
}

/** The rows that there are when the first batch is read. */
function rowScan(
  entries: () => Promise<readonly Found[]>,
  range: EncodedRange,
  order: 'ascending' | 'descending',
): ReturnType<TableAccess['scan']> {
  let rest: Found[] | undefined;
  const sign = order === 'ascending' ? 1 : -1;
  const sorted = async (): Promise<Found[]> =>
    (await entries())
      .filter(({ key }) => within(key, range))
      .sort((a, b) => sign * compareBytes(a.key, b.key));
  return {
    next: async ({ rows: most }) => {
      rest ??= await sorted();
      const batch = rest.splice(0, most);
      if (batch.length === 0) return undefined;
      return batch.map(({ key, row }) => ({ key, text: canonicalText(row()) }));
    },
    close: () => void (rest = []),
  };
}

async function editRow(
  edit: Edit,
  table: SystemTable,
  { view, rowAt }: { view: SystemView; rowAt: (key: Uint8Array) => Promise<Row | undefined> },
): Promise<EditOutcome> {
  const row = await rowAt(edit.key);
  const old = row === undefined ? null : parseText(row.text);
  try {
    const proposed = await edit.evaluate(old);
    if (proposed === null && old === null) return { old, new: null };
    if (proposed !== null) validDocument(proposed, { key: edit.key, primaryKey: 'id', old });
    const id = idOf(proposed) ?? idOf(old) ?? null;
    if (table.write === undefined)
      throw opFailed(`It's illegal to write to the \`rethinkdb.${table.name}\` table.`);
    const isKeyGenerated = edit.isKeyGenerated === true;
    return { old, new: await table.write({ id, old, proposed, isKeyGenerated }, view) };
  } catch (error) {
    if (error instanceof RuntimeError || error instanceof InvalidDatumError)
      return { old, new: old, error };
    throw error;
  }
}

const idOf = (row: Datum): Datum | undefined => (isObject(row) ? fieldOf(row, 'id') : undefined);
