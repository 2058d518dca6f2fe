/**
 * What can go wrong in operation. Each folder has its own classes with a literal `code`
 * ('wal.corrupt', 'query.non_existence') and typed fields for the data of the situation.
 */
export abstract class PhotonError extends Error {
  /** Stable, `folder.situation`; compared in place of the class, and shown to operators. */
  abstract readonly code: string;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}
