import { PhotonError } from '../common/errors.ts';

/** The node has stopped taking requests. */
export class DatabaseStoppedError extends PhotonError {
  override readonly code = 'replication.stopped';
  constructor() {
    super('This node is stopping.');
  }
}

/** A document that no record of the log could hold. */
export class DocumentTooLargeError extends PhotonError {
  override readonly code = 'replication.document_too_large';
  constructor(bytes: number, bytesMax: number) {
    super(`A document of ${bytes} bytes is too large: ${bytesMax} bytes at most.`);
  }
}

/** The log holds something that the state before it does not allow. */
export class ReplayError extends PhotonError {
  override readonly code = 'replication.replay';
}
