import { PhotonError } from '../common/errors.ts';

/** The data directory is in use by another process. */
export class DirectoryLockedError extends PhotonError {
  override readonly code = 'storage.locked';
  constructor(directory: string) {
    super(
      `The data directory ${directory} is in use by another process: stop it, or choose another directory with --data-dir.`,
    );
  }
}

/** The data directory belongs to another node or cluster. */
export class IdentityError extends PhotonError {
  override readonly code = 'storage.identity';
}

/** The disk refused: no room, no permission. */
export class StorageUnavailableError extends PhotonError {
  override readonly code = 'storage.unavailable';
}

/** What a node had acknowledged is not in its data directory any more. */
export class DataLostError extends StorageUnavailableError {}

/** What the storage says of itself is damaged: positions, counts, the catalog of tables. */
export class MetaCorruptError extends PhotonError {
  override readonly code = 'storage.corrupt';
  constructor(key: string) {
    super(
      `The storage is damaged: its value \`${key}\` is corrupt. Restore the data directory from a snapshot.`,
    );
  }
}

/** The page of the data file that says where everything else is. */
export class RootsDamagedError extends PhotonError {
  override readonly code = 'storage.corrupt';
  constructor(what: string) {
    super(
      `The root pages of the storage are damaged: ${what}. Restore the data directory from a snapshot.`,
    );
  }
}

/** Opening the storage ended the process more than once. */
export class StorageQuarantinedError extends PhotonError {
  override readonly code = 'storage.quarantined';
  constructor(directory: string, crashes: number, file: string) {
    super(
      `The storage in ${directory} made this process crash ${crashes} times while it was opened, and is left unchanged: restore the volume from a snapshot, or remove ${file} to try again.`,
    );
  }
}

/** The data file cannot be copied without its free room; it is as it was. */
export class CompactionError extends PhotonError {
  override readonly code = 'storage.compaction';
  constructor(what: string, options?: { cause: unknown }) {
    super(`The data file was not compacted, and is unchanged: ${what}.`, options);
  }
}

/** The disk has no room for a second data file. */
export class NoRoomToCompactError extends PhotonError {
  override readonly code = 'storage.no_room';
  readonly missingBytes: number;
  constructor(neededBytes: number, freeBytes: number) {
    const missingBytes = neededBytes - freeBytes;
    super(
      `Compaction needs ${neededBytes} bytes of the disk, and ${freeBytes} are free: free ${missingBytes} more bytes.`,
    );
    this.missingBytes = missingBytes;
  }
}

/** The disk is full, and the process was to stop before there was room. */
export class NoRoomToCommitError extends PhotonError {
  override readonly code = 'storage.no_room';
  constructor(missingBytes: number) {
    super(
      `The disk is full: ${missingBytes} bytes are missing to apply the last writes of the log to the data file. They are in the log, and the next start applies them.`,
    );
  }
}

/** A snapshot was held for longer than it lives. */
export class SnapshotExpiredError extends PhotonError {
  override readonly code = 'storage.snapshot_expired';
  constructor() {
    super('The snapshot has expired: start again.');
  }
}
