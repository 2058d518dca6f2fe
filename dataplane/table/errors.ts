import { PhotonError } from '../common/errors.ts';

/** A stored value whose checksum is wrong, or that cannot be read: never answered, always reported. */
export class StorageCorruptError extends PhotonError {
  override readonly code = 'storage.corrupt';
  readonly keyspace: number;
  readonly keyHex: string;
  constructor(keyspace: number, keyHex: string, what: string) {
    super(`A stored value is damaged (keyspace ${keyspace}, key ${keyHex}): ${what}.`);
    this.keyspace = keyspace;
    this.keyHex = keyHex;
  }
}

/** A log record that this release cannot read. */
export class CommandFormatError extends PhotonError {
  override readonly code = 'table.command_format';
}
