import { PhotonError } from '../common/errors.ts';

/** Damage before a position that is proven durable: nothing was cut, nothing may be skipped. */
export class WalCorruptError extends PhotonError {
  override readonly code = 'wal.corrupt';
  readonly segment: string;
  readonly offset: number;
  constructor(segment: string, offset: number, what: string) {
    super(
      `The write-ahead log is damaged in segment ${segment} at offset ${offset}: ${what}. ` +
        'Data that was acknowledged may be unreadable, so nothing was cut; restore this node from a backup or a peer.',
    );
    this.segment = segment;
    this.offset = offset;
  }
}

/** Written by a newer release. */
export class WalFormatError extends PhotonError {
  override readonly code = 'wal.format';
  constructor(segment: string, found: number, readable: number) {
    super(
      `Segment ${segment} has format ${found}; this release reads format ${readable} and older. Start the release that wrote it, or a newer one.`,
    );
  }
}

/** A sync or a write failed: what is on the medium is unknown, and the process must end. */
export class WalSyncError extends PhotonError {
  override readonly code = 'wal.sync_failed';
}

export class WalDiskFullError extends PhotonError {
  override readonly code = 'wal.disk_full';
  constructor(cause: unknown) {
    super('The disk of the write-ahead log is full: make room on the volume or give it more.', {
      cause,
    });
  }
}

/** More is waiting for the disk than the queue may hold. */
export class WalQueueFullError extends PhotonError {
  override readonly code = 'wal.queue_full';
}

export class WalClosedError extends PhotonError {
  override readonly code = 'wal.closed';
  constructor() {
    super('The write-ahead log is closed.');
  }
}
