/**
 * The verbs of the Kubernetes API, for plain JSON objects of any kind. It translates and decides
 * nothing. Writes go by server-side apply under one field manager, so that what others wrote into
 * an object stays theirs.
 */
import type { KubeConfig } from './config.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, ObjectName, Resource } from './object.ts';
import { resources } from './object.ts';
import type {
  CallOptions,
  JsonPatchOperation,
  KubeClientOptions,
  KubeList,
  RemoveOptions,
  Scale,
  Scope,
  Timeouts,
  Verb,
  WriteOptions,
} from './options.ts';
import { defaultTimeouts } from './options.ts';
import { listInPages } from './paged-list.ts';
import type { Target } from './request-url.ts';
import { scopeTarget, urlOf, writeQuery } from './request-url.ts';
import type { Call } from './requester.ts';
import { Requester } from './requester.ts';
import type { Timing } from './timing.ts';
import { systemTiming } from './timing.ts';
import type { WatchEvent } from './watch-events.ts';
import { complete, parseWatchEvent } from './watch-events.ts';

export class KubeClient {
  readonly #requester: Requester;
  readonly #timing: Timing;
  readonly #timeouts: Timeouts;

  constructor(config: KubeConfig, options: KubeClientOptions = {}) {
    this.#timing = options.timing ?? systemTiming;
    this.#requester = new Requester(config, options);
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
  }

  /** The object; a `kube.not_found` error when there is none. */
  async get<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    options: CallOptions = {},
  ): Promise<T> {
    const object = await this.#read('get', resource, name, options);
    return complete(object, resource) as T;
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
  list<T extends KubeObject>(
    resource: Resource,
    scope: Scope = {},
    options: CallOptions = {},
  ): Promise<KubeList<T>> {
    const timeoutMs = this.#timeouts.listMs;
    return listInPages<T>(this.#requester, { resource, scope, timeoutMs, options });
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
    const path = urlOf(resource, scopeTarget(scope), {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: scope.resourceVersion,
      timeoutSeconds: Math.floor(watchSecondsMin + spread),
      labelSelector: scope.labelSelector,
      fieldSelector: scope.fieldSelector,
    });
    const call: Call = {
      verb: 'watch',
      resource: resource.plural,
      idempotent: true,
      request: { method: 'GET', path, timeoutMs: listMs },
      options,
    };
    for await (const line of this.#requester.lines(call, watchIdleMs)) {
      yield parseWatchEvent<T>(line, resource);
    }
  }

  /** A new object; `kube.already_exists` when the name is taken. Not repeated when its answer is lost. */
  async create<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace } = object.metadata;
    const path = urlOf(resource, { namespace }, writeQuery(options));
    const request = this.#body('POST', path, object);
    const call = { verb: 'create', resource: resource.plural, idempotent: false } as const;
    return complete(await this.#requester.object({ ...call, request, options }), resource) as T;
  }

  /**
   * Makes the fields of the object as given, whether it exists or not, and takes away those that an
   * earlier apply set and this one leaves out. Conflicts with other managers are won: the fields
   * that the operator names are the operator's.
   */
  apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#apply<T>(resource, object, { options });
  }

  /** The same for the status subresource: the server ignores everything outside of `status`. */
  applyStatus<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#apply<T>(resource, object, { options, subresource: 'status' });
  }

  /** A JSON patch; its `test` operations make it conditional (`kube.invalid` when one fails). */
  async patchJson<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    operations: readonly JsonPatchOperation[],
    options: WriteOptions & { readonly subresource?: string } = {},
  ): Promise<T> {
    const path = urlOf(
      resource,
      { ...name, subresource: options.subresource },
      writeQuery(options),
    );
    const body = this.#body('PATCH', path, operations);
    const request = { ...body, contentType: 'application/json-patch+json' };
    const call = { verb: 'patch', resource: resource.plural, idempotent: false } as const;
    return complete(await this.#requester.object({ ...call, request, options }), resource) as T;
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
    const path = urlOf(
      resource,
      { ...name, subresource: options.subresource },
      writeQuery(options),
    );
    const body = this.#body('PATCH', path, patch);
    const request = { ...body, contentType: 'application/merge-patch+json' };
    const call = { verb: 'patch', resource: resource.plural, idempotent: true } as const;
    return complete(await this.#requester.object({ ...call, request, options }), resource) as T;
  }

  /** Asks for the object's deletion. One that is gone already is no error; finalizers may delay it. */
  async remove(resource: Resource, name: ObjectName, options: RemoveOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds } = options;
    const conditional = uid !== undefined || resourceVersion !== undefined;
    const request = this.#body('DELETE', urlOf(resource, name), {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: conditional ? { uid, resourceVersion } : undefined,
      propagationPolicy: propagationPolicy ?? 'Background',
      gracePeriodSeconds,
      dryRun: options.dryRun === true ? ['All'] : undefined,
    });
    const call = { verb: 'delete', resource: resource.plural, idempotent: true } as const;
    await absentIsFine(this.#requester.object({ ...call, request, options }));
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
    const at = { resource: resources.pods, name: pod, subresource: 'eviction' };
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: pod,
      deleteOptions: { preconditions: uid === undefined ? undefined : { uid }, gracePeriodSeconds },
    };
    await absentIsFine(this.createSubresource(at, body, options));
  }

  /** What only a subresource can create: an eviction, a token of a service account. */
  async createSubresource(
    at: { readonly resource: Resource; readonly name: ObjectName; readonly subresource: string },
    body: object,
    options: CallOptions = {},
  ): Promise<object> {
    const { resource, name, subresource } = at;
    const request = this.#body('POST', urlOf(resource, { ...name, subresource }), body);
    const label = `${resource.plural}/${subresource}`;
    const call = { verb: 'create', resource: label, idempotent: false } as const;
    return this.#requester.object({ ...call, request, options });
  }

  async getScale(resource: Resource, name: ObjectName, options: CallOptions = {}): Promise<Scale> {
    return (await this.#read('get', resource, { ...name, subresource: 'scale' }, options)) as Scale;
  }

  /** Sets the wanted number; with a resourceVersion in `metadata`, only at that version. */
  async putScale(resource: Resource, scale: Scale, options: WriteOptions = {}): Promise<Scale> {
    const { namespace, name } = scale.metadata;
    const path = urlOf(resource, { namespace, name, subresource: 'scale' }, writeQuery(options));
    const request = this.#body('PUT', path, scale);
    const call = { verb: 'put', resource: `${resource.plural}/scale`, idempotent: true } as const;
    return (await this.#requester.object({ ...call, request, options })) as Scale;
  }

  /** The server's version, such as v1.36.3. */
  async serverVersion(options: CallOptions = {}): Promise<string> {
    const timeoutMs = this.#timeouts.objectMs;
    const request = { method: 'GET', path: '/version', timeoutMs } as const;
    const call = { verb: 'get', resource: 'version', idempotent: true } as const;
    const version = await this.#requester.object({ ...call, request, options });
    return 'gitVersion' in version ? String(version.gitVersion) : 'unknown';
  }

  /** Ends all calls and watches with an error, and closes the connections. */
  async close(): Promise<void> {
    await this.#requester.close();
  }

  async #read(
    verb: Verb,
    resource: Resource,
    target: Target,
    options: CallOptions,
  ): Promise<object> {
    const { subresource } = target;
    const label = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
    const timeoutMs = this.#timeouts.objectMs;
    const request = { method: 'GET', path: urlOf(resource, target), timeoutMs } as const;
    return this.#requester.object({ verb, resource: label, idempotent: true, request, options });
  }

  async #apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    at: { readonly options: WriteOptions; readonly subresource?: string },
  ): Promise<T> {
    const { options, subresource } = at;
    const { namespace, name } = object.metadata;
    const query = { ...writeQuery(options), force: true };
    const body = this.#body(
      'PATCH',
      urlOf(resource, { namespace, name, subresource }, query),
      object,
    );
    // JSON is YAML: the server knows an apply by this type alone.
    const request = { ...body, contentType: 'application/apply-patch+yaml' };
    const call = { verb: 'apply', resource: resource.plural, idempotent: true } as const;
    return complete(await this.#requester.object({ ...call, request, options }), resource) as T;
  }

  #body(method: Call['request']['method'], path: string, body: object): Call['request'] {
    const timeoutMs = this.#timeouts.objectMs;
    return { method, path, contentType: 'application/json', body: JSON.stringify(body), timeoutMs };
  }
}

/** For deletions, which are wishes for absence. */
async function absentIsFine(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!isKubeError(error, 'kube.not_found')) throw error;
  }
}
