import type { OpenMetricsContentType, Registry } from 'prom-client';
import { healthServer } from '../http/health.ts';
import type { Metrics, NodeHealth, StorageHealth } from '../http/health.ts';
import type { MemberLoad } from '../membership/member-view.ts';
import { requestBucketsSeconds } from '../membership/request-times.ts';
import { registerClusterMetrics } from '../observability/cluster-metrics.ts';
import type { CgroupUsage } from '../observability/cgroup.ts';
import { inOpenMetrics } from '../observability/open-metrics.ts';
import { registerResourceMetrics } from '../observability/resource-metrics.ts';
import { nodeMetrics } from '../observability/node-registry.ts';
import type { NodeMetrics } from '../observability/metrics.ts';
import { clusterMetricsOf } from './cluster-metrics.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import type { DiskGate } from './disk-gate.ts';
import { diskUsage } from './disk-usage.ts';
import type { Drivers } from './drivers.ts';
import { registerHistograms } from './histograms.ts';
import type { MembershipService } from './membership-service.ts';
import { nodeHealth, queryHealth } from './node-health.ts';
import { Resources } from './resources.ts';
import { SelfReport } from './self-report.ts';
import type { Service } from './services.ts';
import { storageHealth } from './storage-health.ts';

type OpenMetricsRegistry = Registry<OpenMetricsContentType>;

/** Answers probes and Prometheus, from the first moment to the last. */
export interface HealthServiceParts {
  readonly data: Pick<DataService, 'database' | 'measurements' | 'replication'>;
  readonly disk: Pick<DiskGate, 'refusal'>;
  readonly drivers: Drivers;
  readonly membership: MembershipService;
  readonly metrics: () => NodeMetrics;
  /** Resolves when the node serves. */
  readonly started: Promise<void>;
}

export function healthService(context: NodeContext, parts: HealthServiceParts): Service {
  const { health, portLog, progress, clock } = context;
  const { data, disk, drivers, membership, metrics, started } = parts;
  let resources: Resources | undefined;
  const storage = () => storageNow(context, { data, disk }).storage;
  const report = new SelfReport({
    clock,
    storage,
    load: () => loadOf(drivers, { usage: resources?.usage, storage: storage() }),
    say: (key, value) => membership.membership?.describe(key, value),
  });
  return {
    name: 'health',
    start() {
      const measured = new Resources(clock);
      resources = measured;
      const now = () => ({
        ...nodeHealth(progress, data.database, membership.membership, data.replication?.trouble),
        resources: measured.health,
        queries: queryHealth(drivers),
        ...storageNow(context, { data, disk }),
      });
      const registry = nodeMetrics(metrics);
      const clusterNow = () => clusterMetricsOf(membership);
      registerClusterMetrics(registry, clusterNow, requestBucketsSeconds);
      registerResourceMetrics(registry, () => measured.usage);
      registerHistograms(registry, {
        queries: drivers.measurements,
        storage: data.measurements,
      });
      const openMetrics = inOpenMetrics(registry);
      const refreshed = (from: Registry | OpenMetricsRegistry): Metrics => ({
        contentType: from.contentType,
        metrics: async () => {
          await drivers.refresh();
          return from.metrics();
        },
      });
      const formats = { ...refreshed(registry), openMetrics: refreshed(openMetrics) };
      health.port.answerWith(healthServer(now, formats, { over: started, clock }));
      portLog.follow(health.port.tcp, 'health and metrics');
      void started.then(() => report.start());
    },
    stop() {
      health.port.tcp.close();
      health.port.destroy();
      report.stop();
      resources?.stop();
    },
  };
}

/** What the node says of its load to the others. */
function loadOf(
  drivers: Drivers,
  {
    usage,
    storage,
  }: { readonly usage?: CgroupUsage | undefined; readonly storage?: StorageHealth | undefined },
): MemberLoad {
  const { perSecond, latencyMs } = queryHealth(drivers);
  return {
    queriesPerSecond: Math.round(perSecond),
    latencyP99Ms: Math.round(latencyMs.all.p99),
    memoryBytes: usage?.workingSetBytes ?? 0,
    diskFreeBytes: storage?.disk.freeBytes ?? 0,
  };
}

/** Nothing before the data is open. */
function storageNow(
  { config }: Pick<NodeContext, 'config'>,
  { data, disk }: Pick<HealthServiceParts, 'data' | 'disk'>,
): Pick<NodeHealth, 'storage'> {
  const { database, measurements } = data;
  if (database === undefined) return {};
  const usage = diskUsage(config['data-dir']);
  const storage = storageHealth({ database, usage, refusal: disk.refusal('write'), measurements });
  return { storage };
}
