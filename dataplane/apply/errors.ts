import { PhotonError } from '../common/errors.ts';

/** What the log holds for a table cannot be applied to it. */
export class EntryNotApplicableError extends PhotonError {
  override readonly code = 'replication.not_applicable';
  readonly group: number;
  constructor(group: number, index: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : 'something that is no error was thrown';
    super(
      `Entry ${index} of its log (group ${group}) cannot be applied: ${why}. It and the entries behind it are kept; \`npm run storage -- repair\` says what can be done.`,
      { cause },
    );
    this.group = group;
  }
}

/** What the log says of databases, tables and indexes cannot be read from some entry on. */
export class MetadataFrozenError extends PhotonError {
  override readonly code = 'replication.metadata_frozen';
  constructor(index: number, why: string) {
    super(
      `Databases, tables, indexes and users cannot be changed: the log says something of them that this release cannot apply (entry ${index}: ${why}). Tables that were known before are served. Start the release that wrote it, or restore the volume from a snapshot.`,
    );
  }
}

/** The store has data, and nothing says of which tables. */
export class CatalogLostError extends PhotonError {
  override readonly code = 'storage.corrupt';
  constructor() {
    super(
      'The storage is damaged: it holds data and no list of tables. Restore the data directory from a snapshot.',
    );
  }
}

/** The list of tables is of a newer release. */
export class CatalogNewerError extends PhotonError {
  override readonly code = 'storage.format';
  constructor(found: number, newest: number) {
    super(
      `The list of tables in the storage has format ${found}; this release reads up to ${newest}. Start the release that wrote it.`,
    );
  }
}

/** The log holds something that the state before it does not allow. */
export class ReplayError extends PhotonError {
  override readonly code = 'replication.replay';
}

/** An entry is missing between what the store has applied and what the log hands out. */
export function gapInReplay(group: number, applied: number, index: number): ReplayError {
  return new ReplayError(
    `The log goes on with entry ${index} of group ${group}, and the store has applied up to ${applied}: entries between them are missing. Restore the volume from a snapshot.`,
  );
}

/** Tables are numbered when they are made; that they were made stands in the log before their entries. */
export function unknownGroup(group: number, nextGroup: number): ReplayError {
  return new ReplayError(
    `The log has entries of group ${group}, and the store knows of none from ${nextGroup} on: it is older than the log. Restore both from the same snapshot.`,
  );
}

export function logBehindStore(group: number, end: number, applied: number): ReplayError {
  return new ReplayError(
    `The log ends with entry ${end} of group ${group}, and the store has applied ${applied}: they do not belong together. Restore both from the same snapshot.`,
  );
}

/** An entry came to the store before the one in front of it was there. */
export function gapInStore(group: number, applied: number, index: number): ReplayError {
  return new ReplayError(
    `Entry ${index} of group ${group} cannot be applied: the store has applied up to ${applied}, because a write before it failed. The log has all of them; a restart applies them.`,
  );
}
