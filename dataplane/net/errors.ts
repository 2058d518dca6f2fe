import { PhotonError } from '../common/errors.ts';

/** Too much waits for this peer already; nothing of the request was sent. */
export class PeerOverloadedError extends PhotonError {
  readonly code = 'net.overloaded';
}

/** More bytes than a message may have; nothing of it was carried out. */
export class MessageTooLargeError extends PhotonError {
  readonly code = 'net.too_large';
}

/** The node has as many connections as it accepts; this one was closed at once. */
export class ConnectionsError extends PhotonError {
  readonly code = 'net.connections';
}

/** The peer did not answer in time. Whether it did what was asked is unknown. */
export class DeadlineError extends PhotonError {
  readonly code = 'net.deadline';
}

/** The connection ended before the answer. Whether the peer did what was asked is unknown. */
export class ConnectionLostError extends PhotonError {
  readonly code = 'net.connection_lost';
}

/** The peer answered with an error of its own. */
export class PeerError extends PhotonError {
  readonly code = 'net.peer';
  /** The code of the error at the peer. */
  readonly peerCode: string;

  constructor(peerCode: string, message: string) {
    super(message);
    this.peerCode = peerCode;
  }
}

/** The peer, or this node for it, does not take part in the conversation; the connection is closed. */
export class SessionRefusedError extends PhotonError {
  readonly code = 'net.session_refused';
  /** The code of the peer's error, when it was the peer that refused. */
  readonly peerCode: string | undefined;

  constructor(message: string, options: { readonly cause?: unknown; readonly code?: string } = {}) {
    super(message, options);
    this.peerCode = options.code;
  }
}
