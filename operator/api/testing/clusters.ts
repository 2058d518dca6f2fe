/** Clusters and nodes for tests: complete ones, of which a test says only what matters to it. */
import type { PhotonCluster } from '../generated/photon-cluster.ts';
import type { NodeReport, NodeView, PodView, Trouble } from '../node-view.ts';
import { reasons } from '../conditions.ts';

type Spec = PhotonCluster['spec'];
type Pool = Spec['pools'][number];

export function poolWith(change: Partial<Pool> = {}): Pool {
  return {
    name: 'main',
    roles: ['data', 'coordinator', 'consensus'],
    replicas: 1,
    storage: { size: '1Gi' },
    ...change,
  };
}

/** As the API server would return it: with its defaults filled in. */
export function clusterWith(spec: Partial<Spec> = {}, name = 'orders'): PhotonCluster {
  return {
    apiVersion: 'photondb.io/v1alpha1',
    kind: 'PhotonCluster',
    metadata: { name, namespace: 'shop', uid: `uid-of-${name}`, generation: 1 },
    spec: {
      version: '0.1.0',
      image: { repository: 'photondb', pullPolicy: 'IfNotPresent' },
      pools: [poolWith()],
      volumes: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      ...spec,
    },
  };
}

export const wantedRevision = 'new';

export function troubleWith(message: string, change: Partial<Trouble> = {}): Trouble {
  return { reason: reasons.containerFailed, message, isCertain: false, ...change };
}

/** A node that serves the wanted revision; a test takes away from that. */
export function nodeWith(
  change: Omit<Partial<NodeView>, 'pod' | 'report'> & {
    readonly pod?: Partial<PodView> | null;
    readonly report?: Partial<NodeReport> | null;
  } = {},
): NodeView {
  const { pod = {}, report = {}, ...rest } = change;
  return {
    name: 'orders-main-0-0',
    pool: 'main',
    roles: ['data'],
    wantedRevision,
    wantedVersion: '0.1.0',
    isHeard: true,
    ...(pod === null
      ? {}
      : {
          pod: {
            uid: 'u',
            revision: wantedRevision,
            isReady: true,
            isTerminating: false,
            unchangedMs: 0,
            ...pod,
          },
        }),
    ...(report === null
      ? {}
      : {
          report: {
            health: 'Ready',
            version: '0.1.0',
            revision: wantedRevision,
            isLogCorrupt: false,
            ...report,
          },
        }),
    ...rest,
  };
}
