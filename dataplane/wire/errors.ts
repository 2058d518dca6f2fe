import { PhotonError } from '../common/errors.ts';

/** Bytes from a peer that are no frame: the connection they came over cannot be trusted any more. */
export class FrameError extends PhotonError {
  readonly code = 'wire.frame';
}
