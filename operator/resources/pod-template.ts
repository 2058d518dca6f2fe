/**
 * The pods of a pool. They satisfy the `restricted` pod security standard, mount no token but one
 * bound to the pod, and carry their revision, which changes exactly when this template does. Pure.
 */
import type {
  V1Container,
  V1PodSpec,
  V1ResourceRequirements,
  V1Volume,
} from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { clusterLabels, nodeSelector, revisionAnnotation, zoneSelector } from './labels.ts';
import type { Zone } from './layout.ts';
import type { Hash, Pool } from './manifest.ts';
import { canonicalText } from './manifest.ts';
import { certificateAudience } from './certificates.ts';
import { authorityConfigMapName, nodeAccountName } from './names.ts';
import { nodeContainer, withOverlay } from './overlay.ts';
import { adminPasswordPath, dataDirectory, nodePorts } from './node-config.ts';

/** The user of the image; the group owns the files of the volume. */
const userId = 1000;

/** The kubelet renews the token well before; the least that it accepts is ten minutes. */
const tokenSeconds = 3600;

/** To finish queries, flush and seal the log. */
const terminationSeconds = 60;

/** Inputs of the template in addition to the manifest. */
export interface PodFacts {
  readonly configMapName: string;
  readonly passwordSecret: string;
}

function imageOf({ image, version }: PhotonCluster['spec']): string {
  if (image.digest !== undefined) return `${image.repository}@${image.digest}`;
  return `${image.repository}:${image.tag ?? version}`;
}

type Amounts = Readonly<Record<string, string | number>>;

function texts(amounts: Amounts = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, String(value)]));
}

function resourcesOf(pool: Pool): V1ResourceRequirements {
  return { requests: texts(pool.resources?.requests), limits: texts(pool.resources?.limits) };
}

function httpProbe(path: string): { httpGet: { path: string; port: string } } {
  return { httpGet: { path, port: 'http' } };
}

function container(cluster: PhotonCluster, pool: Pool): V1Container {
  return {
    name: nodeContainer,
    image: imageOf(cluster.spec),
    imagePullPolicy: cluster.spec.image.pullPolicy,
    // The status of the cluster repeats the last line of a process that ends.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    // The image's entry point is node.
    args: ['dataplane/node/main.ts', '--config', '/etc/photondb/config.yaml'],
    env: [
      { name: 'PHOTONDB_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      {
        name: 'PHOTONDB_REVISION',
        valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${revisionAnnotation}']` } },
      },
    ],
    ports: [
      { name: 'driver', containerPort: nodePorts.driver },
      { name: 'cluster', containerPort: nodePorts.cluster },
      { name: 'gossip', containerPort: nodePorts.gossip, protocol: 'UDP' },
      { name: 'http', containerPort: nodePorts.http },
      { name: 'web', containerPort: nodePorts.web },
      { name: 'admin', containerPort: nodePorts.admin },
    ],
    resources: resourcesOf(pool),
    // It fails only while the replay of the log makes no progress, so it may take as long as it needs. The
    // node answers it when it serves, or after 8 s: an ordinary start has no probe that fails.
    startupProbe: {
      ...httpProbe('/health/startup'),
      initialDelaySeconds: 2,
      periodSeconds: 1,
      timeoutSeconds: 10,
      failureThreshold: 30,
    },
    readinessProbe: { ...httpProbe('/health/ready'), periodSeconds: 2, timeoutSeconds: 3 },
    livenessProbe: {
      ...httpProbe('/health/live'),
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'data', mountPath: dataDirectory },
      { name: 'config', mountPath: '/etc/photondb', readOnly: true },
      { name: 'admin', mountPath: adminPasswordPath.replace(/\/[^/]*$/, ''), readOnly: true },
      { name: 'identity', mountPath: '/var/run/secrets/photondb.io', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

function volumes(cluster: string, facts: PodFacts): V1Volume[] {
  return [
    { name: 'config', configMap: { name: facts.configMapName } },
    {
      name: 'admin',
      secret: { secretName: facts.passwordSecret, items: [{ key: 'password', path: 'password' }] },
    },
    {
      name: 'identity',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: tokenSeconds } },
          // Good for certificates alone: it is shown to the operator, and not to the API server.
          {
            serviceAccountToken: {
              path: 'certificate-token',
              audience: certificateAudience,
              expirationSeconds: tokenSeconds,
            },
          },
          // It changes while the pod runs, and a pod with a certificate starts without it.
          {
            configMap: {
              name: authorityConfigMapName(cluster),
              optional: true,
              items: [
                { key: 'ca.crt', path: 'cluster-ca.crt' },
                { key: 'nodes', path: 'cluster-nodes' },
                { key: 'endpoint', path: 'certificate-endpoint' },
                { key: 'server-name', path: 'certificate-server-name' },
              ],
            },
          },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    },
    { name: 'tmp', emptyDir: {} },
  ];
}

function placement(cluster: PhotonCluster, zone: Zone): Partial<V1PodSpec> {
  if (zone.zone !== undefined)
    return { nodeSelector: { 'topology.kubernetes.io/zone': zone.zone } };
  const labelSelector = { matchLabels: { ...nodeSelector(cluster.metadata.name) } };
  return {
    topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map(
      (topologyKey) => ({
        topologyKey,
        maxSkew: 1,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector,
      }),
    ),
  };
}

interface Place {
  readonly cluster: PhotonCluster;
  readonly pool: Pool;
  readonly zone: Zone;
}

interface BareTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: V1PodSpec;
}

function bareTemplate({ cluster, pool, zone }: Place, facts: PodFacts): BareTemplate {
  const { name } = cluster.metadata;
  const pullSecrets = cluster.spec.image.pullSecrets ?? [];
  return {
    metadata: {
      labels: { ...clusterLabels(name), ...zoneSelector(name, pool.name, zone.name.zoneIndex) },
      annotations: {
        'kubectl.kubernetes.io/default-container': nodeContainer,
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': String(nodePorts.http),
        'prometheus.io/path': '/_metrics',
      },
    },
    spec: {
      serviceAccountName: nodeAccountName(name),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: terminationSeconds,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: userId,
        runAsGroup: userId,
        fsGroup: userId,
        // Without it the kubelet would visit every file of a large volume at each start.
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(pullSecrets.length === 0
        ? {}
        : { imagePullSecrets: pullSecrets.map((secret) => ({ name: secret })) }),
      ...placement(cluster, zone),
      containers: [container(cluster, pool)],
      volumes: volumes(name, facts),
    },
  };
}

export interface PodTemplate {
  readonly revision: string;
  readonly template: BareTemplate;
}

/** The wanted pods of one zone, with the overlay on them, and their revision. */
export function podTemplate(place: Place, facts: PodFacts, hash: Hash): PodTemplate {
  const { metadata, spec } = withOverlay(bareTemplate(place, facts), place.pool);
  const revision = hash(canonicalText([metadata, spec]));
  const annotations = { ...metadata.annotations, [revisionAnnotation]: revision };
  return { revision, template: { metadata: { ...metadata, annotations }, spec } };
}
