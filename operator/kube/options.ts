/** What callers say with a call, and what they get back: the types of the client's signatures. */
import type { KubeObject } from './object.ts';
import type { RequestLimits } from './request-limiter.ts';
import type { Timing } from './timing.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'apply' | 'patch' | 'put' | 'delete';

/** One attempt of one request, for metrics and logs. */
export interface RequestObservation {
  readonly verb: Verb;
  readonly resource: string;
  /** The HTTP status, or the code of the error when no answer came. */
  readonly outcome: string;
  readonly attempt: number;
  readonly durationMs: number;
}

export interface KubeClientOptions {
  readonly limits?: RequestLimits;
  readonly timing?: Timing;
  /** Called for each attempt. It must not throw. */
  readonly onRequest?: (observation: RequestObservation) => void;
  /** Limits of time, for tests that do not want to wait for the real ones. */
  readonly timeouts?: Partial<Timeouts>;
}

export interface Timeouts {
  /** Of a request for one object, read or written. */
  readonly objectMs: number;
  /** Of one page of a list. */
  readonly listMs: number;
  /** A watch without any byte for so long is dead: the server sends bookmarks every minute. */
  readonly watchIdleMs: number;
  /** The server ends a watch after a random time between these two. */
  readonly watchSecondsMin: number;
  readonly watchSecondsMax: number;
}

export const defaultTimeouts: Timeouts = {
  objectMs: 10_000,
  listMs: 30_000,
  watchIdleMs: 150_000,
  watchSecondsMin: 290,
  watchSecondsMax: 600,
};

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ahead of the rate limit: for the leader's lease, which must not wait behind other work. */
  readonly urgent?: boolean;
}

export interface WriteOptions extends CallOptions {
  /** The server checks and admits, and stores nothing. */
  readonly dryRun?: boolean;
}

export interface RemoveOptions extends WriteOptions {
  /** Only this very object: a conflict when the name has meanwhile been given to another. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** `Orphan` leaves the objects that it owns. */
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export interface Scope {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface KubeList<T extends KubeObject> {
  readonly items: readonly T[];
  /** The version from which a watch continues. */
  readonly resourceVersion: string;
}

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

export interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas: number; readonly selector?: string };
}
