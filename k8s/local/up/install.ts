import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { LocalError } from '../host/errors.ts';
import { words } from '../host/run.ts';
import type { Step } from '../host/steps.ts';
import { waitFor } from '../host/wait.ts';
import type { ImageReference } from './options.ts';
import { helm, kubectl, tryKubectl } from './target.ts';
import type { Target } from './target.ts';

/** Brings the charts and the sample into a Kubernetes, as a user would by hand. */
export interface Installation {
  readonly root: string;
  readonly image: ImageReference;
  /** The namespace of the operator, and the namespaces that it manages (none: all). */
  readonly operatorNamespace: string;
  readonly watchNamespaces: readonly string[];
  readonly namespace: string;
  /** Nodes of the cluster, when not as many as the sample has. */
  readonly replicas?: number;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface ClusterObject {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly (Condition & { readonly observedGeneration?: number })[];
  };
}

const availableTimeoutMs = 300_000;
const pollMs = 300;

/** The namespace refuses pods that could do more than a database has to. */
const namespaceManifest = (name: string): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });

export async function installCharts(target: Target, installation: Installation): Promise<void> {
  const { root, image, operatorNamespace } = installation;
  const chart = (name: string): string => join(root, 'helm', name);
  const into = words`--namespace ${operatorNamespace}`;
  await kubectl(target, ['apply', '--filename', '-'], namespaceManifest(operatorNamespace));
  await helm(target, words`upgrade --install photondb-crds ${chart('photondb-crds')} ${into}`);
  const imageValue = JSON.stringify({ tag: '', digest: '', ...image });
  const namespaces = JSON.stringify(installation.watchNamespaces);
  await helm(
    target,
    words`upgrade --install photondb-operator ${chart('photondb-operator')} ${into}
      --set-json image=${imageValue} --set-json watchNamespaces=${namespaces}`,
  );
}

/** Applies `k8s/samples/quickstart.yaml` with our image in it; answers the cluster's name. */
export async function applySample(target: Target, installation: Installation): Promise<string> {
  const { root, image, namespace, replicas } = installation;
  const sample = parse(
    readFileSync(join(root, 'k8s', 'samples', 'quickstart.yaml'), 'utf8'),
  ) as ClusterObject & { spec: { readonly pools: readonly object[] } };
  await kubectl(target, ['apply', '--filename', '-'], namespaceManifest(namespace));
  const number = replicas === undefined ? {} : { replicas };
  const pools = sample.spec.pools.map((pool) => ({ ...pool, ...number }));
  const manifest = { ...sample, spec: { ...sample.spec, image, pools } };
  await kubectl(
    target,
    words`apply --server-side --force-conflicts --field-manager photondb-up --validate=strict
      --namespace ${namespace} --filename -`,
    stringify(manifest),
  );
  return sample.metadata.name;
}

/** A container that has ended this often while we wait will not get better. */
const restartsMax = 5;

/** Waits until this generation of the cluster is fulfilled and serves, and shows what it waits for. */
export async function waitUntilReady(
  target: Target,
  { namespace, operatorNamespace }: Installation,
  cluster: string,
  step: Step,
): Promise<void> {
  const get = words`get photoncluster ${cluster} --namespace ${namespace} --output json`;
  const check = [
    crashCheck(target, operatorNamespace, 'app.kubernetes.io/name=photondb-operator'),
    crashCheck(target, namespace, `photondb.io/cluster=${cluster}`),
  ];
  await waitFor(
    async () => {
      const result = await tryKubectl(target, get);
      if (result.code !== 0) return false;
      const object = JSON.parse(result.stdout) as ClusterObject;
      step.progress(describe(object));
      if (isFulfilled(object, 'Available') && isFulfilled(object, 'Ready')) return true;
      for (const each of check) await each();
      return false;
    },
    {
      what: `PhotonCluster ${cluster} to be Ready and Available`,
      timeoutMs: availableTimeoutMs,
      intervalMs: pollMs,
      signal: target.signal,
      explain: () => podsAndEvents(target, namespace),
    },
  );
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string };
    readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
  }[];
}

/** Fails, with a pod's last words, when its container ends again and again from now on. */
function crashCheck(target: Target, namespace: string, selector: string): () => Promise<void> {
  const before = new Map<string, number>();
  const get = words`get pods --namespace ${namespace} --selector ${selector} --output json`;
  return async () => {
    const result = await tryKubectl(target, get);
    if (result.code !== 0) return;
    for (const { metadata, status } of (JSON.parse(result.stdout) as PodList).items) {
      const { name, uid } = metadata;
      const restarts = status.containerStatuses?.[0]?.restartCount ?? 0;
      if (!before.has(uid)) before.set(uid, restarts);
      if (restarts - (before.get(uid) ?? 0) < restartsMax) continue;
      const logs = words`logs --namespace ${namespace} ${name} --tail 20`;
      const [now, last] = [
        await tryKubectl(target, logs),
        await tryKubectl(target, [...logs, '--previous']),
      ];
      const said = last.stdout.trim() || now.stdout.trim() || now.stderr.trim();
      throw new LocalError(
        'local.component_failed',
        `pod ${name} ends as soon as it is started; its last words:\n${said}`,
      );
    }
  };
}

export function isFulfilled({ metadata, status }: ClusterObject, type: string): boolean {
  const condition = status?.conditions?.find((each) => each.type === type);
  return condition?.status === 'True' && condition.observedGeneration === metadata.generation;
}

/** Why the cluster is not Ready, from its conditions. */
export function describe({ status }: ClusterObject): string {
  const conditions = status?.conditions ?? [];
  if (conditions.length === 0) return 'waiting for the operator';
  const bad = (type: string, status: string): Condition | undefined =>
    conditions.find((each) => each.type === type && each.status === status);
  const telling =
    bad('Stalled', 'True') ??
    bad('Ready', 'False') ??
    bad('Available', 'False') ??
    bad('Reconciling', 'True');
  if (telling === undefined) return 'Ready and Available';
  return (telling.message ?? telling.reason ?? telling.type).split('\n')[0] ?? '';
}

async function podsAndEvents(target: Target, namespace: string): Promise<string> {
  const pods = await tryKubectl(target, ['get', 'pods', '--all-namespaces']);
  const events = await tryKubectl(
    target,
    words`get events --namespace ${namespace} --sort-by .lastTimestamp`,
  );
  return [pods.stdout, events.stdout.split('\n').slice(-12).join('\n')].join('\n');
}

/** The password that the operator has made for the user `admin`. */
export async function adminPassword(
  target: Target,
  namespace: string,
  cluster: string,
): Promise<string> {
  const encoded = await kubectl(
    target,
    words`get secret ${cluster}-admin --namespace ${namespace} --output jsonpath={.data.password}`,
  );
  return Buffer.from(encoded, 'base64').toString('utf8');
}

/** The address of the client Service within the cluster, which this machine reaches directly. */
export function serviceAddress(
  target: Target,
  namespace: string,
  cluster: string,
): Promise<string> {
  return kubectl(
    target,
    words`get service ${cluster} --namespace ${namespace} --output jsonpath={.spec.clusterIP}`,
  );
}
