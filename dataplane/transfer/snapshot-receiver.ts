import { stagedKey } from '../apply/parked.ts';
import { TruncatedError } from '../common/byte-reader.ts';
import { compareBytes, copyBytes, decodeBase64 } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type { Position } from '../replication/replicated-group.ts';
import { keyspaceKey, verifyEnvelope } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { RowSum } from '../table/row-sum.ts';
import { decodeSessions } from '../table/session-table.ts';
import { decodeRows } from './content.ts';
import { decodeEnd, partKind } from './snapshot-message.ts';
import type { NumberedPart, SnapshotAnswer, SnapshotEnd } from './snapshot-message.ts';
import {
  clearChunks,
  readIncoming,
  removeIncoming,
  stagedRange,
  stageText,
  writeIncoming,
} from './snapshot-staging.ts';

export interface SnapshotReceiverOptions {
  readonly group: number;
  /** Of the rows, which have the same number on each node; nothing for the metadata. */
  readonly keyspace: number;
  readonly store: ApplyStore;
  readonly clock: Pick<Clock, 'now'>;
}

/** Between the question whether a state is here and its installation. */
const keptMs = 5_000;

/** What has arrived of one session. */
interface Arrival {
  readonly session: string;
  next: number;
  lastKey: Uint8Array | undefined;
  readonly sum: RowSum;
  textBytes: number;
  versionMax: number;
}

/**
 * Takes the state of a group in, beside what the group has. Guarded invariant: what is called whole adds up to what its
 * leader counted, and is on the medium.
 */
export class SnapshotReceiver {
  readonly #options: SnapshotReceiverOptions;
  #arrival: Arrival | undefined;
  #isBusy = false;
  /** No other state takes the place of the one that is here. */
  #keptUntil = 0;
  #isKept = false;
  /** The state that is here is being removed: another one takes its place. */
  #isReplacing = false;

  constructor(options: SnapshotReceiverOptions) {
    this.#options = options;
  }

  /** Until the returned function is called, the state that is here stays. */
  keep(): () => void {
    this.#isKept = true;
    return () => void (this.#isKept = false);
  }

  /** Whether all of the state at a position is here. Then it stays for a while: whoever asks installs it. */
  has({ index, term }: Position): boolean {
    const { store, group, clock } = this.#options;
    if (this.#isReplacing) return false;
    const found = store.read((view) => readIncoming(view, group));
    const isHere = found?.index === index && found.term === term;
    if (isHere) this.#keptUntil = clock.now() + keptMs;
    return isHere;
  }

  /** Takes the next part; a part that was taken before is answered as it was. */
  async take(part: NumberedPart): Promise<SnapshotAnswer> {
    // A part that overtakes another one, or comes twice at once.
    if (this.#isBusy) return { type: 'damaged' };
    this.#isBusy = true;
    try {
      return await this.#take(part);
    } catch (error) {
      const isBad = error instanceof TruncatedError || error instanceof StorageCorruptError;
      this.#arrival = undefined;
      if (!isBad) throw error;
      return { type: 'again' };
    } finally {
      this.#isBusy = false;
    }
  }

  async #take(part: NumberedPart): Promise<SnapshotAnswer> {
    const arrival = part.number === 0 ? await this.#begin(part) : this.#arrival;
    if (arrival?.session !== part.session || part.number > arrival.next) return { type: 'again' };
    if (part.number < arrival.next) return { type: 'next', number: part.number + 1 };
    const isTaken =
      part.kind === partKind.end
        ? await this.#end(arrival, decodeEnd(part.body))
        : await this.#stage(arrival, part);
    if (!isTaken) {
      this.#arrival = undefined;
      return { type: 'again' };
    }
    arrival.next += 1;
    return { type: 'next', number: arrival.next };
  }

  async #begin({ session }: NumberedPart): Promise<Arrival | undefined> {
    if (this.#arrival?.session === session) return this.#arrival;
    if (this.#isKept || this.#options.clock.now() < this.#keptUntil) return undefined;
    this.#arrival = undefined;
    this.#isReplacing = true;
    try {
      if (!(await this.#clear())) return undefined;
    } finally {
      this.#isReplacing = false;
    }
    const sums = { sum: new RowSum(), textBytes: 0, versionMax: 0 };
    this.#arrival = { session, next: 0, lastKey: undefined, ...sums };
    return this.#arrival;
  }

  /** Answers whether there is room for another state. */
  async #clear(): Promise<boolean> {
    const { group, store, clock } = this.#options;
    const isFree = await store.write((transaction) => {
      // One that replaces the state at this moment must not lose what it replaces it with.
      if (readIncoming(transaction, group)?.installing !== undefined) return false;
      removeIncoming(transaction, group);
      return true;
    });
    if (isFree) await clearChunks(store, stagedRange(group), clock);
    return isFree;
  }

  #stage(arrival: Arrival, { kind, body }: NumberedPart): Promise<boolean> {
    const { store, group } = this.#options;
    return store.write((transaction) => {
      if (group === metadataGroup) {
        if (kind !== partKind.state) return false;
        stageText(transaction, group, arrival.next, copyBytes(body));
        arrival.textBytes += body.byteLength;
        return true;
      }
      if (kind !== partKind.rows && kind !== partKind.changes) return false;
      return this.#stageRows(transaction, arrival, {
        areNew: kind === partKind.rows,
        body,
      });
    });
  }

  #stageRows(
    transaction: WriteTransaction,
    arrival: Arrival,
    { areNew, body }: { readonly areNew: boolean; readonly body: Uint8Array },
  ): boolean {
    const { group, keyspace } = this.#options;
    for (const { key, value } of decodeRows(body)) {
      const storedKey = keyspaceKey(keyspace, key);
      const staged = stagedKey(group, key);
      if (areNew) {
        const isInOrder = arrival.lastKey === undefined || compareBytes(key, arrival.lastKey) > 0;
        if (value === undefined || !isInOrder) return false;
        arrival.lastKey = copyBytes(key);
      }
      const before = transaction.get('chunk', staged);
      if (before !== undefined) arrival.sum.row(storedKey, before, -1);
      if (value === undefined) {
        transaction.remove('chunk', staged);
        continue;
      }
      arrival.versionMax = Math.max(arrival.versionMax, verifyEnvelope(storedKey, value));
      transaction.put('chunk', staged, copyBytes(value));
      arrival.sum.row(storedKey, value, 1);
    }
    return true;
  }

  async #end(arrival: Arrival, end: SnapshotEnd): Promise<boolean> {
    const { store, group } = this.#options;
    const { count, bytes, hash } = end.statistics;
    const found =
      group === metadataGroup
        ? { count: arrival.next, bytes: arrival.textBytes, hash: 0 }
        : arrival.sum.total;
    // A row that is newer than the end is not of that state.
    if (arrival.versionMax > end.index) return false;
    if (found.count !== count || found.bytes !== bytes || found.hash !== hash) return false;
    // Throws for what is none, and before anything is replaced.
    decodeSessions(decodeBase64(end.sessions));
    await store.write((transaction) => writeIncoming(transaction, group, end));
    // The leader lets go of what is on the medium here.
    await store.flushed();
    return true;
  }
}
