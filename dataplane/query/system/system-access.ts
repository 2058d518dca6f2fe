import { compareBytes, encodeUtf8, equalBytes } from '../../common/bytes.ts';
import { sha256 } from '../../common/hash.ts';
import { compareDatum } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { InvalidDatumError } from '../../datum/errors.ts';
import { encodeKey } from '../../datum/key.ts';
import { fieldOf, isObject } from '../../datum/object.ts';
import { canonicalText, parseText } from '../../datum/text.ts';
import { decideEdit, outcomeOf } from '../../wire/edit-decision.ts';
import type { CurrentDocument, EditDecision } from '../../wire/edit-decision.ts';
import type { EncodedRange, Row, TableAccess } from '../../wire/table-access.ts';
import type { Edit, EditEngine, EditOutcome, EditRun } from '../../wire/table-edit.ts';
import { failureOf } from '../../wire/table-failure.ts';
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

interface SystemTableOptions {
  readonly view: SystemView;
  readonly turn: Exclusive;
  readonly engine: EditEngine;
}

export function systemAccess(
  table: SystemTable,
  { view, turn, engine }: SystemTableOptions,
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
    edit: (batch) =>
      turn(async () => {
        const run = engine.begin(batch, { primaryKey: 'id' });
        const outcomes: EditOutcome[] = [];
        for (const edit of batch.edits) {
          const current = currentOf(await rowAt(edit.key));
          const decision = await editRow({ edit, run, current }, table, view);
          outcomes.push(outcomeOf(decision, current, batch.documents));
        }
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

/** Rows have no versions: one is as good as its text. */
function currentOf(row: Row | undefined): CurrentDocument {
  if (row === undefined) return { text: undefined, version: 0, generation: 0, isCommitted: true };
  const { buffer, byteOffset } = sha256(encodeUtf8(row.text));
  const digest = new DataView(buffer, byteOffset);
  const version = 1 + digest.getUint32(0) + digest.getUint16(4) * 2 ** 32;
  return { text: row.text, version, generation: 0, isCommitted: true };
}

interface RowEdit {
  readonly edit: Edit;
  readonly run: EditRun;
  readonly current: CurrentDocument;
}

async function editRow(
  { edit, run, current }: RowEdit,
  table: SystemTable,
  view: SystemView,
): Promise<EditDecision> {
  const decision = decideEdit(edit, current, run);
  const isConfirmed = edit.change.type === 'compareAndSet' && edit.change.document === undefined;
  const isDone = decision.type === 'returned' || decision.type === 'failed' || isConfirmed;
  if (isDone || decision.result === 'skipped') return decision;
  const old = datumOfText(current.text);
  // A row that stays as it is is written like any other: the table may refuse all writes.
  const proposed = decision.type === 'keep' ? old : datumOfText(decision.text);
  const id = idOf(proposed) ?? idOf(old) ?? null;
  const isKeyGenerated = edit.change.type === 'insert' && edit.change.isKeyGenerated;
  try {
    if (table.write === undefined)
      throw opFailed(`It's illegal to write to the \`rethinkdb.${table.name}\` table.`);
    return written(old, await table.write({ id, old, proposed, isKeyGenerated }, view));
  } catch (error) {
    if (error instanceof RuntimeError || error instanceof InvalidDatumError)
      return { type: 'failed', error: failureOf(error) };
    throw error;
  }
}

/** What the table made of a write. */
function written(old: Datum, made: Datum): EditDecision {
  if (made === null) return { type: 'write', result: 'deleted', text: undefined };
  const text = canonicalText(made);
  if (old === null) return { type: 'write', result: 'inserted', text };
  const isSame = compareDatum(old, made) === 0;
  return { type: 'write', result: isSame ? 'unchanged' : 'replaced', text };
}

const datumOfText = (text: string | undefined): Datum =>
  text === undefined ? null : parseText(text);

const idOf = (row: Datum): Datum | undefined => (isObject(row) ? fieldOf(row, 'id') : undefined);
