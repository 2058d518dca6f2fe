/**
 * Why a certificate is not issued. The code is stable: nodes tell by it what to wait for, and metrics
 * count by it.
 */
export type RefusalCode =
  /** The request has another form than the interface asks for. */
  | 'malformed'
  | 'too_large'
  /** No token, or one that the API server does not accept for this audience. */
  | 'unauthenticated'
  /** The token does not belong to a node of a cluster. */
  | 'forbidden'
  /** The signing request asks for what the authority does not sign. */
  | 'request_refused'
  /** The identity in the request is of another cluster. */
  | 'wrong_cluster'
  /** The identity in the request is of another node. */
  | 'wrong_node'
  /** The node has not reported the identity of its data directory yet. */
  | 'node_unknown'
  /** Nobody has founded the cluster yet. */
  | 'not_founded'
  /** The Secret with the authority is missing or damaged. */
  | 'no_authority'
  | 'rate_limited'
  /** The API server does not answer. */
  | 'unavailable';

/** The status of the answer over HTTP. */
export const statusOf: Readonly<Record<RefusalCode, number>> = Object.freeze({
  malformed: 400,
  too_large: 413,
  unauthenticated: 401,
  forbidden: 403,
  request_refused: 422,
  wrong_cluster: 403,
  wrong_node: 403,
  node_unknown: 409,
  not_founded: 409,
  no_authority: 503,
  rate_limited: 429,
  unavailable: 503,
});

export class SigningRefusal extends Error {
  override readonly name = 'SigningRefusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
  }
}
