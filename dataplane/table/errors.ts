import { PhotonError } from '../common/errors.ts';

export const storageCorruptCode = 'storage.corrupt';

/** A stored value whose checksum is wrong, or that cannot be read: never answered, always reported. */
export class StorageCorruptError extends PhotonError {
  override readonly code = storageCorruptCode;
  readonly keyspace: number;
  readonly keyHex: string;
  readonly what: string;
  /** `database.table`, if the reader knows it. */
  readonly table: string | undefined;
  constructor(place: { keyspace: number; keyHex: string; table?: string }, what: string) {
    const { keyspace, keyHex, table } = place;
    const home = table === undefined ? '' : ` of table \`${table}\``;
    super(`A stored value${home} is damaged (keyspace ${keyspace}, key ${keyHex}): ${what}.`);
    this.keyspace = keyspace;
    this.keyHex = keyHex;
    this.what = what;
    this.table = table;
  }

  inTable(table: string): StorageCorruptError {
    return new StorageCorruptError(
      { keyspace: this.keyspace, keyHex: this.keyHex, table },
      this.what,
    );
  }
}

/** A log record that this release cannot read. */
export class CommandFormatError extends PhotonError {
  override readonly code = 'table.command_format';
}
