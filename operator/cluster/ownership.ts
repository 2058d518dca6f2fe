/**
 * Which part of an existing object the operator owns: everything that its manifest contains except metadata, as
 * a whole. Server-side apply alone leaves what others add to that (a container, a port, a variable),
 * so it is found by its managers and taken away. Metadata is shared: annotations and labels with the
 * prefix of another tool stay. Pure.
 */
import type { Metadata } from '../api/object.ts';
import type { JsonPatchOperation } from '../kube/options.ts';
import {
  orderAnnotation,
  orderReasonAnnotation,
  ownedKeyPrefixes,
  restartAnnotation,
} from '../resources/labels.ts';
import type { Manifest } from '../resources/manifest.ts';

type Json = Readonly<Record<string, unknown>>;

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: Json;
}

type Written = Manifest & {
  readonly metadata: Metadata & { readonly managedFields?: readonly ManagedFields[] };
};

/** Beside what a manifest says: fields that would add to it, and that it never uses. */
const surplusFields: Readonly<Record<string, readonly string[]>> = {
  ConfigMap: ['binaryData'],
  ClusterRole: ['aggregationRule'],
};

/** What the API server and its controllers allocate in a Service; a whole replacement keeps it. */
const allocatedServiceFields = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((each, key) => (isObject(each) ? each[key] : undefined), value);
}

function ownedFields(manifest: Manifest): readonly string[] {
  const fields = Object.keys(manifest).filter(
    (field) => !['apiVersion', 'kind', 'metadata', 'status'].includes(field),
  );
  return [...fields, ...(surplusFields[manifest.kind] ?? [])];
}

const isOurKey = (key: string): boolean =>
  ownedKeyPrefixes.some((prefix) => key.startsWith(prefix));

/** What people ask for by an annotation is theirs. */
const wishKeys: readonly string[] = [orderAnnotation, orderReasonAnnotation];
const isOurAnnotation = (key: string): boolean => isOurKey(key) && !wishKeys.includes(key);

/** A key without a prefix belongs to the owner of the object; tools use their own prefix. */
const isOurLabel = (key: string): boolean => !key.includes('/') || isOurKey(key);

function surplusKeys(
  wanted: Readonly<Record<string, string>> = {},
  actual: Readonly<Record<string, string>> = {},
  isOurs: (key: string) => boolean,
): readonly string[] {
  return Object.keys(actual).filter((key) => isOurs(key) && !Object.hasOwn(wanted, key));
}

/** Whether another field manager changed what is ours: `written` is the response of an apply. */
export function hasForeignFields(written: Written, manifest: Manifest, manager: string): boolean {
  const { labels, annotations, managedFields = [] } = written.metadata;
  if (surplusKeys(manifest.metadata.labels, labels, isOurLabel).length > 0) return true;
  if (surplusKeys(manifest.metadata.annotations, annotations, isOurAnnotation).length > 0)
    return true;
  const owned = ownedFields(manifest).map((field) => `f:${field}`);
  return managedFields.some((entry) => {
    const isApply = entry.manager === manager && entry.operation === 'Apply';
    if (isApply || entry.subresource === 'status') return false;
    return owned.some((field) => Object.hasOwn(entry.fieldsV1 ?? {}, field));
  });
}

/** What others put into our part by right: an address that was allocated, the wish for a restart. */
function withAllocations(field: string, value: unknown, existing: Written): unknown {
  const before = at(existing, field);
  if (existing.kind === 'Service' && field === 'spec' && isObject(value)) {
    const kept = allocatedServiceFields.flatMap((name) => {
      const allocated = at(before, name);
      return allocated === undefined || Object.hasOwn(value, name) ? [] : [[name, allocated]];
    });
    // An address that is wished away, or asked for where none is wanted, is not an allocation.
    const isHeadless = value['clusterIP'] === 'None';
    const wasHeadless = at(before, 'clusterIP') === 'None';
    return isHeadless === wasHeadless ? { ...value, ...Object.fromEntries(kept) } : value;
  }
  const restart = at(before, 'template', 'metadata', 'annotations', restartAnnotation);
  if (existing.kind === 'StatefulSet' && field === 'spec' && typeof restart === 'string') {
    const { template, ...rest } = value as { readonly template: Manifest };
    const annotations = { ...template.metadata.annotations, [restartAnnotation]: restart };
    return { ...rest, template: { ...template, metadata: { ...template.metadata, annotations } } };
  }
  return value;
}

const pointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

/** The change that makes our part of an existing object what it should be, and nothing else. */
export function replacement(existing: Written, manifest: Manifest): readonly JsonPatchOperation[] {
  const { metadata } = existing;
  const { labels, annotations } = metadata;
  const remove = (path: string) => ({ op: 'remove', path }) as const;
  return [
    { op: 'test', path: '/metadata/uid', value: metadata.uid },
    // Another version than the observed one is a conflict.
    { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    ...surplusKeys(manifest.metadata.labels, labels, isOurLabel).map((key) =>
      remove(`/metadata/labels/${pointer(key)}`),
    ),
    ...surplusKeys(manifest.metadata.annotations, annotations, isOurAnnotation).map((key) =>
      remove(`/metadata/annotations/${pointer(key)}`),
    ),
    ...ownedFields(manifest).flatMap((field): readonly JsonPatchOperation[] => {
      const wanted = at(manifest, field);
      if (wanted !== undefined) {
        return [{ op: 'add', path: `/${field}`, value: withAllocations(field, wanted, existing) }];
      }
      return Object.hasOwn(existing, field) ? [remove(`/${field}`)] : [];
    }),
  ];
}
