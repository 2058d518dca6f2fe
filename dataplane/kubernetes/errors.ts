import { PhotonError } from '../common/errors.ts';

/** The API server did not take a request; `status` is its HTTP status. */
export class RefusedByApiServerError extends PhotonError {
  override readonly code = 'kubernetes.refused';
  readonly status: number;
  constructor(attempt: string, status: number, words: string) {
    super(`${attempt}: the API server answered ${status} ${words}`);
    this.status = status;
  }
}

/** No certificate for now; `reason` is the operator's code, or what stands before its answer. */
export class CertificateUnavailableError extends PhotonError {
  readonly code = 'kubernetes.certificate_unavailable';
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
