/**
 * What an API server, or the way to it, can answer instead of an object. The code is stable and
 * compared by callers; reason and message are the server's own words.
 */

export type KubeErrorCode =
  | 'kube.bad_request'
  | 'kube.unauthorized'
  | 'kube.forbidden'
  | 'kube.not_found'
  | 'kube.already_exists'
  | 'kube.conflict'
  /** A resource version or continue token that the server has forgotten: list again. */
  | 'kube.expired'
  /** An error in the middle of a watch: changes may be missing, so list again. */
  | 'kube.watch_failed'
  /** The schema, a CEL rule or an admission policy refused the object. */
  | 'kube.invalid'
  | 'kube.throttled'
  /** An eviction that a PodDisruptionBudget does not allow now. */
  | 'kube.disruption_budget'
  /** The server answered 5xx, or nothing at all: it may or may not have acted. */
  | 'kube.unavailable'
  | 'kube.timeout'
  /** An answer that is not what the API promises: no JSON, no metadata, too long. */
  | 'kube.malformed'
  | 'kube.aborted'
  | 'kube.config'
  | 'kube.rejected';

interface KubeErrorDetails {
  /** HTTP status; 0 when no answer came. */
  readonly status?: number;
  /** The server's machine-readable word, such as `AlreadyExists`. */
  readonly reason?: string;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: KubeErrorCode, message: string, details: KubeErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? 0;
    this.reason = details.reason ?? '';
    this.retryAfterMs = details.retryAfterMs;
  }
}

export function isKubeError(
  error: unknown,
  ...codes: readonly KubeErrorCode[]
): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/** The `Status` object of the API, as far as it is read here. */
export interface Status {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string }[];
  };
}

const codesByStatus: Readonly<Record<number, KubeErrorCode>> = {
  400: 'kube.bad_request',
  401: 'kube.unauthorized',
  403: 'kube.forbidden',
  404: 'kube.not_found',
  409: 'kube.conflict',
  410: 'kube.expired',
  422: 'kube.invalid',
  429: 'kube.throttled',
};

/**
 * An apply whose object has another type than the schema, such as an unknown field or a quantity that is
 * none, is answered by 500, though it is the caller's.
 */
const notOfType =
  /failed to create typed patch object|field not declared in schema|failed to convert new object|unable to convert unstructured object/;

function codeOf(httpStatus: number, status: Status): KubeErrorCode {
  if (status.reason === 'AlreadyExists') return 'kube.already_exists';
  if (status.reason === 'Expired' || status.reason === 'Gone') return 'kube.expired';
  if (status.details?.causes?.some((cause) => cause.reason === 'DisruptionBudget') === true) {
    return 'kube.disruption_budget';
  }
  if (notOfType.test(status.message ?? '')) return 'kube.invalid';
  if (httpStatus >= 500) return 'kube.unavailable';
  return codesByStatus[httpStatus] ?? 'kube.rejected';
}

/** The error behind an HTTP status and, where the server sent one, its `Status` object. */
export function errorOfStatus(
  httpStatus: number,
  status: Status,
  headerRetryAfterMs?: number,
): KubeError {
  const seconds = status.details?.retryAfterSeconds;
  return new KubeError(
    codeOf(httpStatus, status),
    status.message ?? `the API server answered ${httpStatus}`,
    {
      status: httpStatus,
      reason: status.reason ?? '',
      retryAfterMs: headerRetryAfterMs ?? (seconds === undefined ? undefined : seconds * 1000),
    },
  );
}
