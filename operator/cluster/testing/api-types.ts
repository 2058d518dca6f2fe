/** Installs our types and the admission policy in the API server of a test run, and waits for them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { clusterWith } from '../../api/testing/clusters.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';

const crds = join(import.meta.dirname, '..', '..', '..', 'crds');

function clusterWide(group: string, plural: string, kind: string): Resource {
  return { group, version: 'v1', plural, kind, namespaced: false };
}

const kinds: Readonly<Record<string, Resource>> = Object.fromEntries(
  [
    ['apiextensions.k8s.io', 'customresourcedefinitions', 'CustomResourceDefinition'],
    ['admissionregistration.k8s.io', 'validatingadmissionpolicies', 'ValidatingAdmissionPolicy'],
    [
      'admissionregistration.k8s.io',
      'validatingadmissionpolicybindings',
      'ValidatingAdmissionPolicyBinding',
    ],
  ].map(([group = '', plural = '', kind = '']) => [kind, clusterWide(group, plural, kind)]),
);

const deadlineMs = 30_000;

/** Waits until a question is answered with yes; a test that times out fails with its name. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  limitMs = deadlineMs,
): Promise<void> {
  const endsAt = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endsAt) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** The words of a refusal; a test that expects one fails when there is none. */
export async function refusalOf(request: Promise<unknown>): Promise<string> {
  try {
    await request;
  } catch (error) {
    if (isKubeError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'not refused';
}

/**
 * The class of claims that name none: nobody makes their volumes here, and without it each of them would
 * be in trouble.
 */
const defaultClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: {
    name: 'photondb-test',
    annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
  },
  provisioner: 'test.photondb.io/none',
  volumeBindingMode: 'WaitForFirstConsumer',
};

/** A policy takes a moment to take hold: the status of a node that nobody may write tells. */
async function isPolicyInForce(client: KubeClient, namespace: string): Promise<boolean> {
  const { apiVersion } = clusterWith();
  const probe = {
    apiVersion,
    kind: 'PhotonNode',
    metadata: { name: 'policy-probe', namespace },
    spec: { clusterName: 'probe', pool: 'main', roles: ['data'] },
  };
  await client.apply(resources.photonNodes, probe);
  const status = { ...probe, status: { message: String(performance.now()) } };
  const words = await refusalOf(client.applyStatus(resources.photonNodes, status));
  return words.includes('written by its own pod alone');
}

export async function installTypes(client: KubeClient, namespace: string): Promise<void> {
  const objects = readdirSync(crds)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(readFileSync(join(crds, name), 'utf8')))
    .map((document) => document.toJS() as KubeObject);
  for (const object of objects) {
    const resource = kinds[object.kind];
    if (resource === undefined) throw new Error(`unexpected kind ${object.kind} in crds/`);
    await client.apply(resource, object);
  }
  await client.apply(clusterWide('storage.k8s.io', 'storageclasses', 'StorageClass'), defaultClass);
  for (const resource of [resources.photonClusters, resources.photonPools, resources.photonNodes]) {
    await eventually(`${resource.plural} to be served`, async () => {
      const words = await refusalOf(client.list(resource, { namespace }));
      return words === 'not refused';
    });
  }
  await eventually('the admission policy to be in force', () => isPolicyInForce(client, namespace));
  await client.remove(resources.photonNodes, { namespace, name: 'policy-probe' });
}

/** A manifest as a user writes it: without the defaults that the server fills in. */
export function manifestOf(
  name: string,
  namespace: string,
  change: { readonly pool?: object; readonly spec?: object } = {},
): KubeObject & { readonly spec: Readonly<Record<string, unknown>> } {
  return {
    apiVersion: 'photondb.io/v1alpha1',
    kind: 'PhotonCluster',
    metadata: { name, namespace },
    spec: {
      version: '0.1.0',
      pools: [
        {
          name: 'main',
          roles: ['data', 'coordinator', 'consensus'],
          storage: { size: '1Gi' },
          ...change.pool,
        },
      ],
      ...change.spec,
    },
  };
}
