/** How programs find the cluster, and how its nodes find each other. Pure. */
import type { V1ServiceSpec } from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { nodeSelector, roleSelector } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { clientServiceName, nodesServiceName } from './names.ts';
import { nodePorts } from './node-config.ts';

export interface ServiceManifest extends Manifest {
  readonly spec: V1ServiceSpec;
}

function port(name: keyof typeof nodePorts): { name: string; port: number; targetPort: string } {
  return { name, port: nodePorts[name], targetPort: name };
}

/** Ready nodes with data, for drivers and the web page: the others cannot answer a query yet. */
export function clientService(cluster: PhotonCluster): ServiceManifest {
  const { name } = cluster.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: ownedMetadata(cluster, clientServiceName(name)),
    spec: {
      type: 'ClusterIP',
      selector: { ...roleSelector(name, 'data') },
      ports: [port('driver'), port('web')],
    },
  };
}

/** A name for each node, ready or not: a cluster that forms cannot wait for readiness. */
export function nodesService(cluster: PhotonCluster): ServiceManifest {
  const { name } = cluster.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: ownedMetadata(cluster, nodesServiceName(name)),
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { ...nodeSelector(name) },
      ports: [
        port('cluster'),
        { ...port('gossip'), protocol: 'UDP' },
        port('admin'),
        port('driver'),
      ],
    },
  };
}
