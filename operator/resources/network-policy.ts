/**
 * Who may reach the nodes, where the network of the cluster enforces policies: everybody the ports
 * for clients and for metrics, which need a password or reveal nothing; only nodes of the same
 * cluster those between nodes; these and the operator the admin API. What nodes may reach is not restricted. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { nodeSelector } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { ownedMetadata } from './manifest.ts';
import { networkPolicyName } from './names.ts';
import type { nodePorts } from './node-config.ts';

interface Port {
  readonly protocol: 'TCP' | 'UDP';
  readonly port: string;
}

interface Source {
  readonly podSelector: Selector;
  readonly namespaceSelector?: Selector;
}

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>;
}

/** As the API has it: the client library's type spells `from` otherwise. */
interface NetworkPolicyManifest extends Manifest {
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes: readonly string[];
    readonly ingress: readonly {
      readonly from?: readonly Source[];
      readonly ports: readonly Port[];
    }[];
  };
}

export function wantsNetworkPolicy({ spec }: PhotonCluster): boolean {
  return spec.security?.networkPolicy ?? true;
}

function port(name: keyof typeof nodePorts): Port {
  return { protocol: name === 'gossip' ? 'UDP' : 'TCP', port: name };
}

/** The pods of the operator, in its namespace. */
const operatorPods = (namespace: string): Source => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  podSelector: {
    matchLabels: {
      'app.kubernetes.io/part-of': 'photondb',
      'app.kubernetes.io/component': 'operator',
    },
  },
});

/** `operatorNamespace`: undefined for an operator that runs outside of Kubernetes. */
export function networkPolicy(
  cluster: PhotonCluster,
  operatorNamespace?: string,
): NetworkPolicyManifest {
  const { name } = cluster.metadata;
  const matchLabels = { ...nodeSelector(name) };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: ownedMetadata(cluster, networkPolicyName(name)),
    spec: {
      podSelector: { matchLabels },
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [port('driver'), port('web'), port('http')] },
        {
          from: [{ podSelector: { matchLabels } }],
          ports: [port('cluster'), port('gossip'), port('admin')],
        },
        ...(operatorNamespace === undefined
          ? []
          : [{ from: [operatorPods(operatorNamespace)], ports: [port('admin')] }]),
      ],
    },
  };
}
