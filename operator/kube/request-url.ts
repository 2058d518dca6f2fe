/** The URLs of requests to the Kubernetes API. Pure. */
import type { Resource } from './object.ts';
import { pathOf } from './object.ts';
import type { Scope, WriteOptions } from './options.ts';

/** The owner of every field that this operator writes. */
export const fieldManager = 'photondb-operator';

export interface Target {
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: string | undefined;
}

type Query = Record<string, string | number | boolean | undefined>;

export function urlOf(resource: Resource, target: Target, parameters: Query = {}): string {
  const { namespace, name, subresource } = target;
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(key, String(value));
  }
  const path = pathOf(resource, {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  });
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

/** Unknown and duplicate fields are errors: a field that the server drops would never be true. */
export function writeQuery(options: WriteOptions): Query {
  return {
    fieldManager,
    fieldValidation: 'Strict',
    dryRun: options.dryRun === true ? 'All' : undefined,
  };
}

export function scopeTarget(scope: Scope): Target {
  return { namespace: scope.namespace };
}
