import { PhotonError } from '../common/errors.ts';

/** Where something stands in the log. */
export interface LogPlace {
  /** File name of the segment. */
  readonly segment: string;
  /** In bytes, in the segment. */
  readonly offset: number;
  /** In bytes, in the whole log since its first segment was made. */
  readonly position: number;
}

const namedGroupsMax = 20;

function touched(groups: ReadonlySet<number> | undefined): string {
  if (groups === undefined) return 'any group may be affected';
  const named = [...groups].slice(0, namedGroupsMax).join(', ');
  return `it may affect ${groups.size} groups (${named}${groups.size > namedGroupsMax ? ', …' : ''})`;
}

/** Damage before a position that is proven durable: nothing was cut, nothing may be skipped. */
export class WalCorruptError extends PhotonError {
  override readonly code = 'wal.corrupt';
  readonly place: LogPlace;
  /** The groups that the damage may touch, and no others; undefined when it may be any. */
  readonly groups: ReadonlySet<number> | undefined;
  /** A sentence: what is damaged, and where. */
  readonly summary: string;

  constructor(place: LogPlace, what: string, groups: ReadonlySet<number> | undefined) {
    const summary =
      `The write-ahead log is damaged in segment ${place.segment} at offset ${place.offset} ` +
      `(position ${place.position}): ${what}.`;
    super(
      `${summary} Acknowledged data may be unreadable, so nothing was truncated; ` +
        `${touched(groups)}. Restore this node from a backup or a peer.`,
    );
    this.summary = summary;
    this.place = place;
    this.groups = groups;
  }
}

/** Written by a newer release, or by one so old that its format is no longer read. */
export class WalFormatError extends PhotonError {
  override readonly code = 'wal.format';

  constructor(segment: string, found: number, readable: { oldest: number; newest: number }) {
    const way = found > readable.newest ? 'newer' : 'older';
    super(
      `Segment ${segment} of the write-ahead log has format ${found}; this release reads formats ` +
        `${readable.oldest} to ${readable.newest}. Start the release that wrote it: it is a ${way} one.`,
    );
  }
}

/** The disk refused something while the log was being opened: a permission, a broken medium. */
export class WalOpenError extends PhotonError {
  override readonly code = 'wal.open_failed';

  constructor(directory: string, cause: unknown) {
    super(`The write-ahead log in ${directory} cannot be opened: ${String(cause)}`, { cause });
  }
}

/** A write or a sync failed: what is on the medium is unknown, and the process must end. */
export class WalSyncError extends PhotonError {
  override readonly code = 'wal.sync_failed';

  constructor(cause: unknown) {
    super(
      `The write-ahead log could not be written, and what the disk holds is unknown: ${String(cause)}`,
      { cause },
    );
  }
}

/** The next segment cannot begin for now, and the log is well. Of what is rejected with it, nothing was written. */
export abstract class WalBlockedError extends PhotonError {
  readonly isRefusal = true;
}

/** There is no room for the next segment. */
export class WalDiskFullError extends WalBlockedError {
  override readonly code = 'wal.disk_full';
  readonly wantedBytes: number;
  readonly freeBytes: number;

  constructor(room: { wantedBytes: number; freeBytes: number }, cause?: unknown) {
    super(
      `The disk of the write-ahead log is full: the next segment needs ${room.wantedBytes} bytes ` +
        `and ${room.freeBytes} are free. Free space on the volume or enlarge it.`,
      { cause },
    );
    this.wantedBytes = room.wantedBytes;
    this.freeBytes = room.freeBytes;
  }
}

/** The file of the next segment cannot be opened while other files and sockets have every descriptor. */
export class WalDescriptorsError extends WalBlockedError {
  override readonly code = 'wal.no_descriptors';

  constructor(cause: unknown) {
    super(
      'The write-ahead log cannot start its next segment: no file descriptor is left. ' +
        'Close connections, or raise the limit of open files (ulimit -n).',
      { cause },
    );
  }
}

/** The disk does not keep up: more waits for it than the queue may hold. */
export class WalFullError extends PhotonError {
  override readonly code = 'wal.full';
  readonly isRefusal = true;

  constructor(waitingBytes: number) {
    super(`The write-ahead log is busy: ${waitingBytes} bytes wait for the disk. Try again later.`);
  }
}

/** One append that no segment could hold. */
export class WalAppendTooLargeError extends PhotonError {
  override readonly code = 'wal.append_too_large';

  constructor(bytes: number, bytesMax: number) {
    super(`An append of ${bytes} bytes is too large for the write-ahead log: ${bytesMax} at most.`);
  }
}

export class WalClosedError extends PhotonError {
  override readonly code = 'wal.closed';

  constructor() {
    super('The write-ahead log is closed.');
  }
}

/** A holder kept more, or for longer, than it may: its entries were released. */
export class RetentionHoldLostError extends PhotonError {
  override readonly code = 'wal.hold_lost';

  constructor(
    name: string,
    {
      bytes,
      bytesMax,
      ageMs,
      ageMsMax,
    }: Readonly<Record<'bytes' | 'bytesMax' | 'ageMs' | 'ageMsMax', number>>,
  ) {
    super(
      `${name} may no longer hold the write-ahead log: it held ${bytes} bytes (${bytesMax} at most) ` +
        `for ${Math.round(ageMs)} ms (${ageMsMax} at most). It must start again from a snapshot.`,
    );
  }
}

/** A read asked for entries that were released. */
export class WalEntriesGoneError extends PhotonError {
  override readonly code = 'wal.entries_gone';

  constructor(group: number, index: number) {
    super(
      `Entry ${index} of group ${group} is no longer in the write-ahead log; start from a snapshot.`,
    );
  }
}

/** A bound on who may use the log at once. */
export class WalTooManyError extends PhotonError {
  override readonly code = 'wal.too_many';

  constructor(what: string, max: number) {
    super(`The write-ahead log has ${max} ${what} already, which is the limit.`);
  }
}
