import type { Tables } from '../apply/tables.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import { partsOf, shardsOf } from '../metadata/shards.ts';
import type { TableRecord } from '../metadata/state.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { KeyspaceScrub } from '../table/keyspace-scrub.ts';
import type { Finding, ScrubTarget } from '../table/keyspace-scrub.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { recounted } from '../table/statistics.ts';

/**
 * Scrubs keyspaces of a store that is in use. Each slice is one write of the store, though it mostly
 * writes nothing: so it stands between two applied commands, and changes between slices are passed to the
 * walk by those who make them.
 */
export interface ScrubHost {
  readonly store: ApplyStore;
  readonly clock: Pick<Clock, 'now'>;
  /** Where whoever changes a keyspace finds its walk. */
  readonly walks: Map<number, KeyspaceWalk>;
  /** False once the keyspace was dropped or is marked as damaged. */
  isWanted(target: ScrubTarget): boolean;
  /** Called after each slice with how long it took; the next one comes when this resolves. */
  sliced(slice: {
    readonly rows: number;
    readonly bytes: number;
    readonly ms: number;
  }): Promise<void>;
  readonly signal: AbortSignal;
}

const sliceRows = 500;
const sliceMs = 5;

/** Everything that a scrub looks at: rows first, because entries of an index are seen by their documents. */
export function scrubTargets(
  tables: Pick<Tables, 'state' | 'index' | 'isReady' | 'problemOf'>,
): ScrubTarget[] {
  const readyOf = ({ indexes }: TableRecord, at: number): AppliedIndex[] =>
    indexes.flatMap((index) => {
      const part = partsOf(index)[at];
      return (
        (part !== undefined && tables.isReady(part) ? tables.index(part.keyspace) : undefined) ?? []
      );
    });
  const rows = Object.values(tables.state.tables).flatMap((table) =>
    shardsOf(table).map(({ keyspace }, at) => {
      return {
        type: 'table' as const,
        keyspace,
        indexes: readyOf(table, at),
        problemOf: (text: string, key: Uint8Array) => tables.problemOf(keyspace, text, key),
      };
    }),
  );
  const entries = rows.flatMap(({ keyspace: tableKeyspace, indexes }) =>
    indexes.map((each) => {
      return { type: 'index' as const, keyspace: each.keyspace, tableKeyspace, index: each };
    }),
  );
  return [...rows, ...entries];
}

export interface Scrubbed {
  readonly findings: readonly Finding[];
  /** Documents that cannot be read: more than the findings name. */
  readonly damagedDocuments: number;
  /** Of these, whole values that are no documents. */
  readonly invalidDocuments: number;
  /** Whether it was looked at to its end. */
  readonly isOver: boolean;
}

/** What is wrong with a keyspace; nothing of one that was dropped meanwhile. */
export async function scrubKeyspace(target: ScrubTarget, host: ScrubHost): Promise<Scrubbed> {
  const scrub = new KeyspaceScrub(target);
  const result = (isOver: boolean): Scrubbed => {
    const { damagedDocuments, invalidDocuments } = scrub.seen;
    return {
      findings: isOver ? scrub.findings : [],
      damagedDocuments: damagedDocuments + invalidDocuments,
      invalidDocuments,
      isOver,
    };
  };
  try {
    for (;;) {
      host.signal.throwIfAborted();
      const slice = await host.store.write((transaction) => scrubSlice(transaction, scrub, host));
      if (slice === undefined) return result(false);
      await host.sliced(slice);
      if (!slice.goesOn) return result(true);
    }
  } finally {
    host.walks.delete(target.keyspace);
  }
}

function scrubSlice(transaction: WriteTransaction, scrub: KeyspaceScrub, host: ScrubHost) {
  const { target, seen } = scrub;
  if (!host.isWanted(target)) return undefined;
  host.walks.set(target.keyspace, scrub.walk);
  const started = host.clock.now();
  const before = { ...seen };
  const isOver = (): boolean => host.clock.now() > started + sliceMs;
  let goesOn = false;
  try {
    goesOn = scrub.slice(transaction, { rows: sliceRows, isOver });
    const sums = goesOn ? undefined : scrub.uncounted(transaction);
    if (sums !== undefined) recounted(transaction, target.keyspace, sums);
  } catch (error) {
    if (!isDamage(error)) throw error;
    scrub.failed(error);
  }
  const [rows, bytes] = [seen.rows - before.rows, seen.bytes - before.bytes];
  return { goesOn, rows, bytes, ms: host.clock.now() - started };
}

/** A checksum is wrong, or the store met something that it cannot read: its errors have numbers. */
function isDamage(error: unknown): error is Error {
  if (error instanceof PhotonError) return error.code === 'storage.corrupt';
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}
