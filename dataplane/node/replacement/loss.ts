import { CatalogLostError, ReplayError } from '../../apply/errors.ts';
import { metadataGroup } from '../../replication/entry-kind.ts';
import { DataLostError, MetaCorruptError, RootsDamagedError } from '../../storage/errors.ts';
import { StorageQuarantinedError } from '../../storage/errors.ts';
import { StorageCorruptError } from '../../table/errors.ts';
import { WalCorruptError } from '../../wal/errors.ts';

/** That a node lacks what it had acknowledged to other members: it must not vote as if it had it. */
export interface Loss {
  readonly reason: string;
  /** Why the data is not open; undefined when it is, and some groups lack entries. */
  readonly error: Error | undefined;
  /** Whether the node can serve what is left, while it may not begin again. */
  readonly isPartial: boolean;
}

const lossErrors = [
  CatalogLostError,
  DataLostError,
  MetaCorruptError,
  ReplayError,
  RootsDamagedError,
  StorageCorruptError,
  StorageQuarantinedError,
  WalCorruptError,
];

/** Undefined when the data cannot be opened for another reason: a permission, a full disk, a newer format. */
export function lossOf(error: unknown): Loss | undefined {
  if (!lossErrors.some((each) => error instanceof each)) return undefined;
  const found = error as Error;
  const groups = found instanceof WalCorruptError ? found.groups : undefined;
  const isPartial = groups !== undefined && !groups.has(metadataGroup);
  const reason = found instanceof WalCorruptError ? found.summary : found.message;
  return { reason, error: found, isPartial };
}
