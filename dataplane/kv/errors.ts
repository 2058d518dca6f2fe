import { PhotonError } from '../common/errors.ts';

/** A store gave keys that are not in their order or not in the range that was asked for. */
export class KeyOrderError extends PhotonError {
  override readonly code = 'storage.corrupt';
  constructor(database: string, keyHex: string, what: string) {
    super(
      `The storage is damaged: a walk over its database \`${database}\` met the key ${keyHex}, which ${what}. Nothing of it was answered. \`npm run storage -- scrub\` says which tables are affected.`,
    );
  }
}
