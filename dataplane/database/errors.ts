import { PhotonError } from '../common/errors.ts';

/** The node has stopped taking requests. */
export class DatabaseStoppedError extends PhotonError {
  override readonly code = 'replication.stopped';
  constructor() {
    super('This node is stopping.');
  }
}
