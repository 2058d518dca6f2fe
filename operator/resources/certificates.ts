/** How the nodes of a cluster get their certificates, and whom they trust. Pure. */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Manifest } from './manifest.ts';
import { ownedMetadata, ownerReference } from './manifest.ts';
import { clusterLabels } from './labels.ts';
import type { WantedNode } from './layout.ts';
import { wantedNodes } from './layout.ts';
import { authorityConfigMapName, authoritySecretName, nodesServiceName } from './names.ts';
import { nodePorts } from './node-config.ts';

/** Of the tokens by which nodes ask for certificates: good for nothing else. */
export const certificateAudience = 'photondb.io/certificates';

const defaultLifetime = '168h';
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000 };

/** The schema has checked the text. */
export function certificateLifetimeMs({ spec }: PhotonCluster): number {
  const text = spec.security?.certificates?.lifetime ?? defaultLifetime;
  const unit = unitMs[text.slice(-1)] ?? 0;
  return Number(text.slice(0, -1)) * unit;
}

const serverNameSuffix = '.signing.photondb.io';

/** By which name the signing endpoint shows a certificate of this cluster's authority. */
export function signingServerName({ metadata }: PhotonCluster): string {
  return `${metadata.name}.${metadata.namespace ?? 'default'}${serverNameSuffix}`;
}

/** The cluster of a server name; undefined for another name. */
export function clusterOfServerName(
  serverName: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!serverName.endsWith(serverNameSuffix)) return undefined;
  const [name, namespace, ...others] = serverName.slice(0, -serverNameSuffix.length).split('.');
  return name === undefined || namespace === undefined || others.length > 0
    ? undefined
    : { namespace, name };
}

/**
 * One line for each node: its name, the address that the headless Service gives it, and its roles. Nodes
 * with data come first, since others find their cluster there.
 */
function nodeLines(cluster: PhotonCluster): readonly string[] {
  const { name, namespace = 'default' } = cluster.metadata;
  const nodes = wantedNodes(cluster);
  const hasData = ({ pool }: WantedNode): boolean => pool.roles.includes('data');
  const ordered = [...nodes.filter(hasData), ...nodes.filter((node) => !hasData(node))];
  const domain = `${nodesServiceName(name)}.${namespace}.svc`;
  return ordered.map(
    (node) =>
      `${node.name} ${node.name}.${domain}:${nodePorts.cluster} ${node.pool.roles.join(',')}\n`,
  );
}

export interface Trust {
  /** Certificates of all trusted authorities, PEM. */
  readonly bundle: string;
  /** Where certificates are asked for; absent when the operator has no address for it. */
  readonly endpoint?: string | undefined;
}

/** What nodes read about whom to trust and where to find each other; it changes while they run. */
export function authorityConfigMap(
  cluster: PhotonCluster,
  { bundle, endpoint }: Trust,
): Manifest & { readonly data: Readonly<Record<string, string>> } {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMetadata(cluster, authorityConfigMapName(cluster.metadata.name)),
    data: {
      'ca.crt': bundle,
      'server-name': signingServerName(cluster),
      nodes: nodeLines(cluster).join(''),
      ...(endpoint === undefined ? {} : { endpoint }),
    },
  };
}

/** The Secret with the authority: it goes with the cluster, and is never applied over another one. */
export function authoritySecret(
  cluster: PhotonCluster,
  contents: {
    readonly annotations: Readonly<Record<string, string | null>>;
    readonly data: Readonly<Record<string, string | null>>;
  },
): Manifest & { readonly type: string; readonly data: Readonly<Record<string, string>> } {
  const { name, namespace } = cluster.metadata;
  const present = (values: Readonly<Record<string, string | null>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null),
    );
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: authoritySecretName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: clusterLabels(name),
      annotations: present(contents.annotations),
      ownerReferences: [ownerReference(cluster)],
    },
    type: 'Opaque',
    data: present(contents.data),
  };
}
