/** Lists of any length, read in pages from one consistent version. */
import { KubeError, isKubeError } from './errors.ts';
import type { KubeObject, Resource } from './object.ts';
import type { CallOptions, KubeList, Scope } from './options.ts';
import { scopeTarget, urlOf } from './request-url.ts';
import type { Requester } from './requester.ts';
import { complete } from './watch-events.ts';

/** One page of a list; small enough that no page comes near a time limit. */
const pageItems = 500;

/** A list restarts when its continue token expires; more often than this is an error for the caller. */
const listRestartsMax = 3;

/** A cache of more objects than this would not fit the operator's memory. */
const listItemsMax = 50_000;

interface ListPage {
  readonly items?: readonly object[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

export interface ListCall {
  readonly resource: Resource;
  readonly scope: Scope;
  readonly timeoutMs: number;
  readonly options: CallOptions;
}

export async function listInPages<T extends KubeObject>(
  requester: Pick<Requester, 'object'>,
  call: ListCall,
): Promise<KubeList<T>> {
  for (let restart = 0; ; restart += 1) {
    try {
      return await listOnce<T>(requester, call);
    } catch (error) {
      if (!isKubeError(error, 'kube.expired') || restart >= listRestartsMax) throw error;
    }
  }
}

async function listOnce<T extends KubeObject>(
  requester: Pick<Requester, 'object'>,
  { resource, scope, timeoutMs, options }: ListCall,
): Promise<KubeList<T>> {
  const { labelSelector, fieldSelector } = scope;
  const items: T[] = [];
  let next: string | undefined;
  do {
    const query = { limit: pageItems, continue: next, labelSelector, fieldSelector };
    const path = urlOf(resource, scopeTarget(scope), query);
    const request = { method: 'GET', path, timeoutMs } as const;
    const call = { verb: 'list', resource: resource.plural, idempotent: true } as const;
    const page: ListPage = await requester.object({ ...call, request, options });
    const resourceVersion = page.metadata?.resourceVersion;
    if (!Array.isArray(page.items) || typeof resourceVersion !== 'string') {
      throw new KubeError('kube.malformed', `${path}: not a list`);
    }
    for (const item of page.items as readonly object[]) items.push(complete(item, resource) as T);
    if (items.length > listItemsMax) {
      throw new KubeError('kube.rejected', `more than ${listItemsMax} ${resource.plural}`);
    }
    next = page.metadata?.continue;
    if (next === undefined || next === '') return { items, resourceVersion };
  } while (options.signal?.aborted !== true);
  throw new KubeError('kube.aborted', `list of ${resource.plural}: aborted`);
}
