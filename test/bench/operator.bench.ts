import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureKube } from '../../k8s/local/cluster/kube-build.ts';
import { startCluster, stopCluster } from '../../k8s/local/cluster/cluster.ts';
import { silentSteps } from '../../k8s/local/host/steps.ts';
import { eventually, installTypes, manifestOf } from '../../operator/cluster/testing/api-types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/object.ts';
import { testNamespace } from '../../operator/kube/testing/control-plane.ts';
import { residentMib } from './measure.ts';
import type { Benchmark } from './measure.ts';

const root = join(import.meta.dirname, '..', '..');
const idleMs = 20_000;
/** Of `/proc/PID/stat`: the kernel's clock ticks, 100 in a second on Linux. */
const ticksPerSecond = 100;

/** Seconds of processor time that a process has used. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function firstPodMs(client: KubeClient, namespace: string, name: string): Promise<number> {
  const pod = { namespace, name: `${name}-main-0-0` };
  const started = performance.now();
  await client.create(resources.photonClusters, manifestOf(name, namespace));
  await eventually('the first pod', async () => {
    return (await client.find(resources.pods, pod)) !== undefined;
  });
  const ms = performance.now() - started;
  await client.remove(resources.photonClusters, { namespace, name });
  return ms;
}

function startOperator(kubeconfig: string, namespace: string): ChildProcess {
  const file = join(root, 'operator', 'main.ts');
  const where = ['--watch-namespaces', namespace, '--pod-namespace', namespace];
  const how = ['--http-bind', '127.0.0.1', '--http-port', '0', '--pod-name', 'bench'];
  return spawn(process.execPath, [file, ...where, ...how], {
    env: { PHOTONDB_OPERATOR_KUBECONFIG: kubeconfig },
    stdio: 'ignore',
  });
}

export const benchmark: Benchmark = {
  about: 'The operator as a process of its own, against a real control plane without nodes.',

  async run(compare) {
    const instance = `bench-${process.pid}`;
    const { signal } = new AbortController();
    const kube = await ensureKube({ progress: () => undefined }, signal);
    const options = { instance, nodes: 0, kube, temporary: true, steps: silentSteps, signal };
    const { kubeconfig } = await startCluster(options);
    process.env['PHOTONDB_TEST_KUBECONFIG'] = kubeconfig;
    const at = await testNamespace('bench');
    await installTypes(at.client, at.namespace);
    const operator = startOperator(kubeconfig, at.namespace);
    const pid = operator.pid ?? -1;
    let count = 0;
    try {
      await compare({
        about: 'From the creation of a cluster to its first pod object',
        unit: 'ms',
        subjects: [
          {
            name: 'operator',
            run: () => firstPodMs(at.client, at.namespace, `bench-${(count += 1)}`),
          },
        ],
      });
      await compare({
        about: 'Memory (VmRSS), after these clusters',
        unit: 'MiB',
        subjects: [{ name: 'operator', run: async () => residentMib(pid, 'VmRSS') }],
      });
      await compare({
        about: 'Processor time while nothing changes',
        unit: 'cores',
        subjects: [
          {
            name: 'operator',
            async run() {
              const before = processorSeconds(pid);
              await sleep(idleMs);
              return (processorSeconds(pid) - before) / (idleMs / 1_000);
            },
          },
        ],
      });
    } finally {
      operator.kill('SIGTERM');
      if (operator.exitCode === null) await once(operator, 'exit');
      await at.client.close();
      await stopCluster(instance);
    }
  },
};
