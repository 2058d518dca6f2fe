import { stagedEnd, stagedKey, stagedStart } from '../apply/parked.ts';
import { concatBytes, decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore, ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { metaKey } from '../table/meta-key.ts';
import type { SnapshotEnd } from './snapshot-message.ts';

/** A state that has arrived, whole. */
export interface IncomingState extends Omit<SnapshotEnd, 'sessions'> {
  /** None from a release before. */
  readonly sessions?: string;
  /** The payload that names the members, once the state is about to replace what the group has. */
  readonly installing?: { readonly members: string };
}

const entriesPerSlice = 500;
const sliceMs = 5;

export function readIncoming(view: ReadTransaction, group: number): IncomingState | undefined {
  const bytes = view.get('meta', metaKey('incoming', group));
  return bytes === undefined ? undefined : (JSON.parse(decodeUtf8(bytes)) as IncomingState);
}

export function writeIncoming(
  transaction: WriteTransaction,
  group: number,
  state: IncomingState,
): void {
  transaction.put('meta', metaKey('incoming', group), encodeUtf8(JSON.stringify(state)));
}

export function removeIncoming(transaction: WriteTransaction, group: number): void {
  transaction.remove('meta', metaKey('incoming', group));
}

/** The next entries of a range, as many as one slice takes. */
export function sliceOf(
  transaction: WriteTransaction,
  { database, start, end }: { database: 'chunk' | 'data'; start: Uint8Array; end: Uint8Array },
  clock: Pick<Clock, 'now'>,
): { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  const deadline = clock.now() + sliceMs;
  const found = [];
  for (const entry of transaction.entries(database, {
    start,
    end,
    limit: entriesPerSlice,
  })) {
    found.push(entry);
    if (clock.now() > deadline) break;
  }
  return found;
}

/** Removes a range of staged or parked entries, in slices. */
export async function clearChunks(
  store: ApplyStore,
  range: { readonly start: Uint8Array; readonly end: Uint8Array },
  clock: Pick<Clock, 'now'>,
): Promise<void> {
  const clear = (transaction: WriteTransaction): boolean => {
    const entries = sliceOf(transaction, { database: 'chunk', ...range }, clock);
    for (const { key } of entries) transaction.remove('chunk', key);
    return entries.length > 0;
  };
  while (await store.write(clear));
}

export const stagedRange = (group: number): { start: Uint8Array; end: Uint8Array } => ({
  start: stagedStart(group),
  end: stagedEnd(group),
});

const numberKey = (number: number): Uint8Array => {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number);
  return key;
};

/** Pieces of a text, in their order. */
export function stageText(
  transaction: WriteTransaction,
  group: number,
  at: number,
  text: Uint8Array,
): void {
  transaction.put('chunk', stagedKey(group, numberKey(at)), text);
}

export function readStagedText(view: ReadTransaction, group: number): string {
  const pieces = Array.from(view.entries('chunk', stagedRange(group)), ({ value }) => value);
  return decodeUtf8(concatBytes(pieces));
}
