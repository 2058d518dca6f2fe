import { PhotonError } from '../common/errors.ts';

/** Bytes from the other side that are no frame, or a frame that its state does not allow: the channel ends. */
export class ChannelFrameError extends PhotonError {
  override readonly code = 'workers.frame';
}

/** The other side is gone; whether it has done what it was asked for is unknown. */
export class ChannelClosedError extends PhotonError {
  override readonly code = 'workers.closed';
}

/** A side asks for more at once than the other one takes. */
export class ChannelOverloadedError extends PhotonError {
  override readonly code = 'workers.overloaded';
}

/** What the other side answered in place of a result. */
export class RemoteFailure extends PhotonError {
  override readonly code = 'workers.failure';
  /** As the other side encoded it: data, not believed. */
  readonly failure: unknown;

  constructor(message: string, failure: unknown) {
    super(message);
    this.failure = failure;
  }
}
