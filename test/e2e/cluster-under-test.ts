import { LocalError } from '../../k8s/local/host/errors.ts';
import { waitFor } from '../../k8s/local/host/wait.ts';
import { kubectl } from '../../k8s/local/cluster/control-plane.ts';
import type { Cluster } from '../../k8s/local/cluster/cluster.ts';

/** What the tests on real nodes have in common: kubectl, and waiting for a condition. */

/** The folder with the program of Kubernetes, which `npm test` has built. */
export function kubeFolder(): string {
  const folder = process.env['PHOTONDB_TEST_BIN'];
  if (folder !== undefined && folder !== '') return folder;
  throw new Error('PHOTONDB_TEST_BIN is not set: run these tests by `npm test -- e2e`');
}

type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

/** kubectl of a cluster, which has to succeed. */
export function kubectlOf({ layout, kube }: Cluster): Kubectl {
  return async (args, input) => {
    const result = await kubectl(layout, kube, args, input);
    if (result.code === 0) return result.stdout;
    throw new LocalError('local.command_failed', result.stderr.trim());
  };
}

/** kubectl of a cluster, which has to fail; answers what it says. */
export function refusalOf({ layout, kube }: Cluster): Kubectl {
  return async (args, input) => {
    const result = await kubectl(layout, kube, args, input);
    if (result.code !== 0) return result.stderr;
    throw new Error(`kubectl ${args.join(' ')} was expected to fail, and said: ${result.stdout}`);
  };
}

/** One field of a pod; empty while the pod or the field is not there. */
export async function podField(
  { layout, kube }: Cluster,
  pod: string,
  jsonpath: string,
  namespace = 'default',
): Promise<string> {
  const args = ['get', 'pod', pod, '--namespace', namespace, '--output', `jsonpath=${jsonpath}`];
  return (await kubectl(layout, kube, args)).stdout;
}

const untilTimeoutMs = 30_000;
const untilIntervalMs = 300;

export async function until(
  what: string,
  probe: () => Promise<boolean> | boolean,
  timeoutMs = untilTimeoutMs,
): Promise<void> {
  await waitFor(probe, { what, timeoutMs, intervalMs: untilIntervalMs });
}
