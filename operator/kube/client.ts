/**
 * The verbs of the Kubernetes API, for plain JSON objects of any kind. It translates, waits its
 * turn and retries; it decides nothing. Writes go by server-side apply under one field manager,
 * so that what others wrote into an object stays theirs.
 */
import type { KubeConfig } from './config.ts';
import { KubeError, errorOfStatus, isKubeError } from './errors.ts';
import type { Status } from './errors.ts';
import type { KubeObject, ObjectName, Resource } from './object.ts';
import { pathOf, resources } from './object.ts';
import { RequestLimiter, defaultRequestLimits } from './request-limiter.ts';
import type { RequestLimits } from './request-limiter.ts';
import { attemptsMax, retryDelayMs } from './retry.ts';
import type { Timing } from './timing.ts';
import { systemTiming } from './timing.ts';
import { StreamRefused, Transport } from './transport.ts';
import type { HttpAnswer, HttpRequest } from './transport.ts';
import { complete, linesOf, parseWatchEvent } from './watch-events.ts';
import type { WatchEvent } from './watch-events.ts';

/** The owner of every field that this operator writes. */
export const fieldManager = 'photondb-operator';

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

const defaultTimeouts: Timeouts = {
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
  /** Where a watch goes on from. */
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

/** One page of a list; small enough that no page comes near a time limit. */
const pageItems = 500;

/** A list restarts when its continue token expires; more often than this the caller is told. */
const listRestartsMax = 3;

/** A cache of more objects than this would not fit the operator's memory. */
const listItemsMax = 50_000;

interface Call {
  readonly verb: Verb;
  readonly resource: string;
  readonly request: Omit<HttpRequest, 'signal'>;
  readonly options: CallOptions;
}

function queryOf(parameters: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KubeError('kube.malformed', `not JSON: ${text.slice(0, 200)}`, { cause: error });
  }
}

function errorOfAnswer(answer: HttpAnswer): KubeError {
  let status: Status = { message: answer.text.slice(0, 500) };
  try {
    const body: unknown = JSON.parse(answer.text);
    if (typeof body === 'object' && body !== null && 'status' in body) status = body as Status;
  } catch {
    // Not the API server but something in front of it answered: its text is the message.
  }
  return errorOfStatus(answer.status, status, answer.retryAfterMs);
}

export class KubeClient {
  readonly #transport: Transport;
  readonly #limiter: RequestLimiter;
  readonly #timing: Timing;
  readonly #timeouts: Timeouts;
  readonly #onRequest: (observation: RequestObservation) => void;

  constructor(config: KubeConfig, options: KubeClientOptions = {}) {
    this.#timing = options.timing ?? systemTiming;
    this.#transport = new Transport(config, this.#timing.now);
    this.#limiter = new RequestLimiter(options.limits ?? defaultRequestLimits, this.#timing);
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#onRequest = options.onRequest ?? (() => undefined);
  }

  /** The object; a `kube.not_found` error when there is none. */
  async get<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    options: CallOptions = {},
  ): Promise<T> {
    const request = {
      method: 'GET',
      path: pathOf(resource, name),
      timeoutMs: this.#timeouts.objectMs,
    } as const;
    return complete<T>(
      await this.#object({ verb: 'get', resource: resource.plural, request, options }),
      resource,
    );
  }

  /** The object; undefined when there is none. */
  async find<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get<T>(resource, name, options);
    } catch (error) {
      if (isKubeError(error, 'kube.not_found')) return undefined;
      throw error;
    }
  }

  /** All objects of the scope, read in pages from one consistent version. */
  async list<T extends KubeObject>(
    resource: Resource,
    scope: Scope = {},
    options: CallOptions = {},
  ): Promise<KubeList<T>> {
    for (let restart = 0; ; restart += 1) {
      try {
        return await this.#listPages<T>(resource, scope, options);
      } catch (error) {
        if (!isKubeError(error, 'kube.expired') || restart >= listRestartsMax) throw error;
      }
    }
  }

  /**
   * The changes after a version, until the server ends the watch. An end is no error: watch again
   * from the last version. An error of code `kube.expired` means: list again.
   */
  async *watch<T extends KubeObject>(
    resource: Resource,
    scope: Scope & { readonly resourceVersion: string },
    options: CallOptions = {},
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { watchSecondsMin, watchSecondsMax, watchIdleMs, listMs } = this.#timeouts;
    const spread = this.#timing.random() * (watchSecondsMax - watchSecondsMin + 1);
    const query = queryOf({
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: scope.resourceVersion,
      timeoutSeconds: Math.floor(watchSecondsMin + spread),
      labelSelector: scope.labelSelector,
      fieldSelector: scope.fieldSelector,
    });
    await this.#limiter.pace(options.signal);
    const startedAt = this.#timing.now();
    const observe = (outcome: string): void => {
      const durationMs = this.#timing.now() - startedAt;
      this.#onRequest({
        verb: 'watch',
        resource: resource.plural,
        outcome,
        attempt: 1,
        durationMs,
      });
    };
    const request = {
      method: 'GET',
      path: pathOf(resource, namespaceOf(scope)) + query,
      timeoutMs: listMs,
      signal: options.signal,
    } as const;
    try {
      for await (const line of linesOf(this.#transport.stream(request, watchIdleMs))) {
        yield parseWatchEvent<T>(line, resource);
      }
      observe('200');
    } catch (error) {
      const failure = error instanceof StreamRefused ? errorOfAnswer(error.answer) : error;
      if (isKubeError(failure))
        observe(failure.status === 0 ? failure.code : String(failure.status));
      if (isKubeError(failure, 'kube.unauthorized')) this.#transport.expireCredentials();
      throw failure;
    }
  }

  async create<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace } = object.metadata;
    const path =
      pathOf(resource, namespaceOf({ namespace })) +
      queryOf({ fieldManager, fieldValidation: 'Strict', ...dryRunOf(options) });
    const request = this.#write('POST', path, object);
    return complete<T>(
      await this.#object({ verb: 'create', resource: resource.plural, request, options }),
      resource,
    );
  }

  /**
   * Makes the fields of the object as given, whether it exists or not, and takes away those that an
   * earlier apply set and this one leaves out. Conflicts with other managers are won: the fields
   * that the operator names are the operator's.
   */
  async apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#apply<T>(resource, object, { ...options });
  }

  /** The same for the status subresource: everything outside of `status` is ignored by the server. */
  async applyStatus<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#apply<T>(resource, object, { ...options, subresource: 'status' });
  }

  /** A JSON patch: `test` operations make it conditional; when one fails the error is `kube.invalid`. */
  async patchJson<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    operations: readonly JsonPatchOperation[],
    options: WriteOptions & { readonly subresource?: string } = {},
  ): Promise<T> {
    const contentType = 'application/json-patch+json';
    return this.#patch<T>(resource, name, { body: operations, contentType }, options);
  }

  /**
   * A merge patch, for what apply cannot say: a change that holds only at one resourceVersion
   * (`kube.conflict` otherwise), or a field that another manager owns.
   */
  async mergePatch<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    patch: object,
    options: WriteOptions & { readonly subresource?: string } = {},
  ): Promise<T> {
    const contentType = 'application/merge-patch+json';
    return this.#patch<T>(resource, name, { body: patch, contentType }, options);
  }

  /** Asks for the object's deletion. One that is gone already is no error; finalizers may delay it. */
  async remove(resource: Resource, name: ObjectName, options: RemoveOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds } = options;
    const preconditions =
      uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      propagationPolicy: propagationPolicy ?? 'Background',
      gracePeriodSeconds,
      ...(options.dryRun === true ? { dryRun: ['All'] } : {}),
    };
    const request = this.#write('DELETE', pathOf(resource, name), body);
    try {
      await this.#call({ verb: 'delete', resource: resource.plural, request, options });
    } catch (error) {
      if (!isKubeError(error, 'kube.not_found')) throw error;
    }
  }

  /**
   * Asks for a pod to be removed as its PodDisruptionBudget allows; `kube.disruption_budget` when
   * it does not allow it now. A pod that is gone already is no error.
   */
  async evict(
    pod: ObjectName,
    options: CallOptions & { readonly uid?: string; readonly gracePeriodSeconds?: number } = {},
  ): Promise<void> {
    const { uid, gracePeriodSeconds } = options;
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: pod,
      deleteOptions: { preconditions: uid === undefined ? undefined : { uid }, gracePeriodSeconds },
    };
    try {
      const at = { resource: resources.pods, name: pod, subresource: 'eviction' };
      await this.createSubresource(at, body, options);
    } catch (error) {
      if (!isKubeError(error, 'kube.not_found')) throw error;
    }
  }

  /** What only a subresource can create: an eviction, a token of a service account. */
  async createSubresource(
    at: { readonly resource: Resource; readonly name: ObjectName; readonly subresource: string },
    body: object,
    options: WriteOptions = {},
  ): Promise<unknown> {
    const { resource, name, subresource } = at;
    const path = pathOf(resource, { ...name, subresource }) + queryOf(dryRunOf(options));
    const request = this.#write('POST', path, body);
    return this.#object({
      verb: 'create',
      resource: `${resource.plural}/${subresource}`,
      request,
      options,
    });
  }

  async getScale(resource: Resource, name: ObjectName, options: CallOptions = {}): Promise<Scale> {
    const path = pathOf(resource, { ...name, subresource: 'scale' });
    const request = { method: 'GET', path, timeoutMs: this.#timeouts.objectMs } as const;
    return (await this.#object({
      verb: 'get',
      resource: `${resource.plural}/scale`,
      request,
      options,
    })) as Scale;
  }

  /** Sets the wanted number; with a resourceVersion in `metadata`, only at that version. */
  async putScale(resource: Resource, scale: Scale, options: WriteOptions = {}): Promise<Scale> {
    const name = scale.metadata;
    const path =
      pathOf(resource, { ...name, subresource: 'scale' }) +
      queryOf({ fieldManager, ...dryRunOf(options) });
    const request = this.#write('PUT', path, scale);
    return (await this.#object({
      verb: 'put',
      resource: `${resource.plural}/scale`,
      request,
      options,
    })) as Scale;
  }

  /** The server's version, such as v1.36.3. */
  async serverVersion(options: CallOptions = {}): Promise<string> {
    const request = {
      method: 'GET',
      path: '/version',
      timeoutMs: this.#timeouts.objectMs,
    } as const;
    const version = await this.#object({ verb: 'get', resource: 'version', request, options });
    return String((version as { gitVersion?: unknown }).gitVersion);
  }

  /** Ends all calls and watches with `kube.aborted` or `kube.unavailable`. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #listPages<T extends KubeObject>(
    resource: Resource,
    scope: Scope,
    options: CallOptions,
  ): Promise<KubeList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const { labelSelector, fieldSelector } = scope;
      const query = queryOf({ limit: pageItems, continue: next, labelSelector, fieldSelector });
      const path = pathOf(resource, namespaceOf(scope)) + query;
      const request = { method: 'GET', path, timeoutMs: this.#timeouts.listMs } as const;
      const page = (await this.#object({
        verb: 'list',
        resource: resource.plural,
        request,
        options,
      })) as ListPage;
      if (!Array.isArray(page.items) || typeof page.metadata?.resourceVersion !== 'string') {
        throw new KubeError('kube.malformed', `${path}: not a list`);
      }
      for (const item of page.items) items.push(complete<T>(item, resource));
      if (items.length > listItemsMax) {
        throw new KubeError('kube.rejected', `more than ${listItemsMax} ${resource.plural}`);
      }
      next = page.metadata.continue;
      if (next === undefined || next === '') {
        return { items, resourceVersion: page.metadata.resourceVersion };
      }
    }
  }

  async #apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions & { readonly subresource?: string },
  ): Promise<T> {
    const path =
      pathOf(resource, { ...object.metadata, ...subresourceOf(options) }) +
      queryOf({ fieldManager, force: true, fieldValidation: 'Strict', ...dryRunOf(options) });
    // JSON is YAML: the server knows apply by this type alone.
    const request = {
      ...this.#write('PATCH', path, object),
      contentType: 'application/apply-patch+yaml',
    };
    return complete<T>(
      await this.#object({ verb: 'apply', resource: resource.plural, request, options }),
      resource,
    );
  }

  async #patch<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    patch: { readonly body: object; readonly contentType: string },
    options: WriteOptions & { readonly subresource?: string },
  ): Promise<T> {
    const path =
      pathOf(resource, { ...name, ...subresourceOf(options) }) +
      queryOf({ fieldManager, fieldValidation: 'Strict', ...dryRunOf(options) });
    const request = { ...this.#write('PATCH', path, patch.body), contentType: patch.contentType };
    return complete<T>(
      await this.#object({ verb: 'patch', resource: resource.plural, request, options }),
      resource,
    );
  }

  #write(method: HttpRequest['method'], path: string, body: object): Omit<HttpRequest, 'signal'> {
    const timeoutMs = this.#timeouts.objectMs;
    return { method, path, contentType: 'application/json', body: JSON.stringify(body), timeoutMs };
  }

  async #object(call: Call): Promise<object> {
    const body = parseJson(await this.#call(call));
    if (typeof body !== 'object' || body === null) {
      throw new KubeError('kube.malformed', `${call.request.path}: not an object`);
    }
    return body;
  }

  /** Sends, and sends again as retry.ts allows; resolves with the text of a 2xx answer. */
  async #call(call: Call): Promise<string> {
    let refused = false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(call, attempt);
      if (typeof outcome === 'string') return outcome;
      // A token may have been rotated a moment ago: read it again, once.
      if (outcome.code === 'kube.unauthorized' && !refused) {
        refused = true;
        this.#transport.expireCredentials();
        continue;
      }
      const idempotent = call.request.method !== 'POST';
      const delayMs = retryDelayMs(outcome, { attempt, idempotent }, this.#timing.random);
      if (delayMs === undefined || attempt >= attemptsMax) throw outcome;
      await this.#timing.sleep(delayMs, call.options.signal);
      if (call.options.signal?.aborted === true) throw outcome;
    }
  }

  async #attempt(call: Call, attempt: number): Promise<string | KubeError> {
    const { signal } = call.options;
    const leave = call.options.urgent === true ? undefined : await this.#limiter.enter(signal);
    const startedAt = this.#timing.now();
    let outcome = '';
    try {
      const answer = await this.#transport.send({ ...call.request, signal });
      outcome = String(answer.status);
      return answer.status >= 200 && answer.status < 300 ? answer.text : errorOfAnswer(answer);
    } catch (error) {
      if (!isKubeError(error)) throw error;
      outcome = error.code;
      return error;
    } finally {
      leave?.();
      const durationMs = this.#timing.now() - startedAt;
      this.#onRequest({ verb: call.verb, resource: call.resource, outcome, attempt, durationMs });
    }
  }
}

interface ListPage {
  readonly items?: readonly object[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

function subresourceOf(options: { readonly subresource?: string }): { subresource?: string } {
  return options.subresource === undefined ? {} : { subresource: options.subresource };
}

function namespaceOf(scope: { readonly namespace?: string | undefined }): { namespace?: string } {
  return scope.namespace === undefined ? {} : { namespace: scope.namespace };
}

function dryRunOf(options: WriteOptions): { dryRun?: string } {
  return options.dryRun === true ? { dryRun: 'All' } : {};
}
