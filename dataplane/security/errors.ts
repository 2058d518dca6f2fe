import { PhotonError } from '../common/errors.ts';

/** A certificate signing request that the authority does not sign. */
export class RequestRefusedError extends PhotonError {
  readonly code = 'security.request_refused';
}

/** A certificate that does not prove what it should. */
export class CertificateRefusedError extends PhotonError {
  readonly code = 'security.certificate_refused';
}

/** An invalid join token; the message does not reveal which part was wrong. */
export class TokenRefusedError extends PhotonError {
  readonly code = 'security.token_refused';
}

/** A step of a key's rotation that would lose messages. */
export class RingRefusedError extends PhotonError {
  readonly code = 'security.ring_refused';
}
