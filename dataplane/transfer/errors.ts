import { PhotonError } from '../common/errors.ts';

/** A stream that ends early, was changed, or does not add up. */
export class TransferDamagedError extends PhotonError {
  override readonly code = 'replication.transfer_damaged';
  /** Of the first byte of the frame that cannot be trusted. */
  readonly offset: number;
  constructor(offset: number, what: string) {
    super(`The export is damaged at byte ${offset}: ${what}. Use another copy of it.`);
    this.offset = offset;
  }
}

/** A stream of a release to come, or no export at all. */
export class TransferFormatError extends PhotonError {
  override readonly code = 'replication.transfer_format';
}

/** More of the table changes than the reader of the export takes. */
export class ExportBehindError extends PhotonError {
  override readonly code = 'replication.export_behind';
  constructor(what: string) {
    super(`The export does not keep up with the writes to the table (${what}): read it faster.`);
  }
}

/** What the table's counters say is not what was read: values are missing. */
export class ExportIncompleteError extends PhotonError {
  override readonly code = 'replication.export_incomplete';
  constructor(table: string, what: string) {
    super(
      `Table \`${table}\` is damaged: ${what}. Run a scrub, and restore the volume from a snapshot.`,
    );
  }
}

/** The table is gone. */
export class ExportRefusedError extends PhotonError {
  override readonly code = 'replication.export_refused';
}

/** The table cannot be made here. */
export class ImportRefusedError extends PhotonError {
  override readonly code = 'replication.import_refused';
}
