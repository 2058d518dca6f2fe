/**
 * The user's overlay on a pod template: merged as people expect of Kubernetes, and refused where
 * it would break what the operator relies on. Pure.
 */
import type { Pool } from './manifest.ts';
import { ownedKeyPrefixes } from './labels.ts';

type Json = Readonly<Record<string, unknown>>;

/** Fields of the pod that are the operator's, with what to write instead. */
const ownedPodFields: Readonly<Record<string, string>> = {
  serviceAccountName: 'the pods use the ServiceAccount of their cluster',
  serviceAccount: 'the pods use the ServiceAccount of their cluster',
  automountServiceAccountToken: 'the token is mounted by the operator',
  restartPolicy: 'a StatefulSet restarts always',
  hostname: 'a node is named by its StatefulSet',
  subdomain: 'a node is named by its StatefulSet',
  nodeName: 'use nodeSelector or affinity',
  imagePullSecrets: 'use spec.image.pullSecrets',
  setHostnameAsFQDN: 'a node is named by its StatefulSet',
  activeDeadlineSeconds: 'a node runs until it is stopped',
  ephemeralContainers: 'use kubectl debug',
};

const ownedContainerFields: Readonly<Record<string, string>> = {
  image: 'use spec.image',
  imagePullPolicy: 'use spec.image.pullPolicy',
  command: 'use spec.config for options',
  args: 'use spec.config for options',
  resources: 'use resources of the pool',
  ports: 'the ports are fixed',
};

/** The container of the database, and the volumes and paths that it needs. */
export const nodeContainer = 'photondb';
const ownedVolumes = Object.freeze(['data', 'config', 'admin', 'identity', 'tmp']);
const ownedMountPaths = [
  '/var/lib/photondb',
  '/etc/photondb',
  '/etc/photondb-admin',
  '/var/run/secrets/photondb.io',
  '/tmp',
];

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectsIn(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function* ownedFields(
  value: Json,
  owned: Readonly<Record<string, string>>,
  path: string,
): Generator<string> {
  for (const [field, instead] of Object.entries(owned)) {
    if (Object.hasOwn(value, field)) yield `${path}.${field} belongs to the operator: ${instead}`;
  }
}

function* containerComplaints(container: Json, path: string): Generator<string> {
  yield* namelessComplaints(container, ['env'], path);
  yield* ownedFields(container, ownedContainerFields, path);
  for (const { name } of objectsIn(container['env'])) {
    if (String(name).startsWith('PHOTONDB_')) {
      yield `${path}.env ${String(name)} belongs to the operator: use spec.config`;
    }
  }
  for (const { mountPath } of objectsIn(container['volumeMounts'])) {
    if (ownedMountPaths.includes(String(mountPath).replace(/\/+$/, ''))) {
      yield `${path}.volumeMounts ${String(mountPath)} belongs to the operator: use another path`;
    }
  }
}

function* metadataComplaints(
  values: Readonly<Record<string, string>> | undefined,
  path: string,
): Generator<string> {
  for (const key of Object.keys(values ?? {})) {
    if (ownedKeyPrefixes.some((prefix) => key.startsWith(prefix))) {
      yield `${path} ${key} belongs to the operator: use another key`;
    }
  }
}

/** Volumes that are for the database alone: its token, and its password. */
const privateVolumes: readonly string[] = ['admin', 'identity'];

/** Lists whose entries are merged by name: one without a name would replace all of them. */
function* namelessComplaints(
  value: Json,
  lists: readonly string[],
  path: string,
): Generator<string> {
  for (const list of lists) {
    const entries: readonly unknown[] = Array.isArray(value[list]) ? value[list] : [];
    const isNamed = entries.every((each) => isObject(each) && typeof each['name'] === 'string');
    if (!isNamed) yield `${path}.${list} has an entry without a name: name each of them`;
  }
}

/** Merged in, null would take away what the operator needs. */
function* nullComplaints(value: unknown, path: string): Generator<string> {
  if (value === null) yield `${path} is null: leave the field out`;
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) yield* nullComplaints(each, `${path}[${index}]`);
  } else if (isObject(value)) {
    for (const [field, each] of Object.entries(value))
      yield* nullComplaints(each, `${path}.${field}`);
  }
}

/** What an additional container must not share with the database. */
function* sidecarComplaints(container: Json, path: string): Generator<string> {
  for (const { name } of objectsIn(container['volumeMounts'])) {
    if (privateVolumes.includes(String(name))) {
      yield `${path}.volumeMounts ${String(name)} belongs to the database: mount a Secret of your own`;
    }
  }
}

/** Sentences about what the overlay must not say; empty when it may be merged. */
export function overlayComplaints(pool: Pool): readonly string[] {
  const { metadata, spec = {} } = pool.template ?? {};
  const path = `pools[${pool.name}].template`;
  const complaints = [
    ...metadataComplaints(metadata?.labels, `${path}.metadata.labels`),
    ...metadataComplaints(metadata?.annotations, `${path}.metadata.annotations`),
    ...ownedFields(spec, ownedPodFields, `${path}.spec`),
  ];
  complaints.push(
    ...nullComplaints(spec, `${path}.spec`),
    ...namelessComplaints(spec, ['containers', 'initContainers', 'volumes'], `${path}.spec`),
  );
  for (const list of ['containers', 'initContainers']) {
    for (const container of objectsIn(spec[list])) {
      const here = `${path}.spec.${list}[${String(container['name'])}]`;
      const isDatabase = container['name'] === nodeContainer;
      complaints.push(...(isDatabase ? containerComplaints : sidecarComplaints)(container, here));
    }
  }
  for (const { name } of objectsIn(spec['volumes'])) {
    if (ownedVolumes.includes(String(name))) {
      complaints.push(
        `${path}.spec.volumes ${String(name)} belongs to the operator: use another name`,
      );
    }
  }
  return complaints;
}

/** The field that identifies the elements of a list; undefined when it is replaced whole. */
function keyOf(field: string, list: readonly unknown[]): string | undefined {
  if (field === 'volumeMounts') return 'mountPath';
  return list.every((each) => isObject(each) && typeof each['name'] === 'string')
    ? 'name'
    : undefined;
}

function mergeList(field: string, base: readonly unknown[], over: readonly unknown[]): unknown[] {
  if (field === 'tolerations' || field === 'topologySpreadConstraints') return [...base, ...over];
  const key = keyOf(field, [...base, ...over]);
  if (key === undefined) return [...over];
  const merged = new Map(objectsIn(base).map((each) => [each[key], each]));
  for (const each of objectsIn(over)) {
    const before = merged.get(each[key]);
    merged.set(each[key], before === undefined ? each : mergeObjects(before, each));
  }
  return [...merged.values()];
}

function mergeObjects(base: Json, over: Json): Json {
  const merged: Record<string, unknown> = { ...base };
  for (const [field, value] of Object.entries(over)) {
    // Own fields only: an overlay may spell any name.
    const before = Object.hasOwn(base, field) ? base[field] : undefined;
    if (isObject(before) && isObject(value)) merged[field] = mergeObjects(before, value);
    else if (Array.isArray(before) && Array.isArray(value)) {
      merged[field] = mergeList(field, before, value);
    } else merged[field] = value;
  }
  return merged;
}

/**
 * The pod template with the overlay on it. Objects are merged, lists of named things by name,
 * mounts by path, tolerations and spread constraints are appended, other lists replaced.
 */
export function withOverlay<T extends object>(template: T, pool: Pool): T {
  const overlay = pool.template;
  return overlay === undefined ? template : (mergeObjects(template as Json, overlay) as T);
}
