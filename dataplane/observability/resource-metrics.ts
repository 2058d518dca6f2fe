import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { CgroupUsage } from './cgroup.ts';

/** What the process or its control group uses, read when Prometheus asks. A limit that is not set is 0. */
export function registerResourceMetrics(registry: Registry, read: () => CgroupUsage): void {
  const registers = [registry];
  const cpu: Counter = new Counter({
    name: 'photondb_cpu_seconds_total',
    help: 'CPU time that the pod has used.',
    registers,
    collect() {
      cpu.reset();
      cpu.inc(read().cpuSeconds);
    },
  });
  const gauges: Readonly<Record<string, [help: string, value: (usage: CgroupUsage) => number]>> = {
    photondb_cpu_limit_cores: ['Cores that the pod may use.', (usage) => usage.cpuLimit ?? 0],
    photondb_memory_working_set_bytes: [
      'Memory of the pod without page cache that can be given back.',
      (usage) => usage.workingSetBytes,
    ],
    photondb_memory_limit_bytes: [
      'Memory that the pod may use.',
      (usage) => usage.memoryLimitBytes ?? 0,
    ],
  };
  for (const [name, [help, value]] of Object.entries(gauges)) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: () => gauge.set(value(read())),
    });
  }
}
