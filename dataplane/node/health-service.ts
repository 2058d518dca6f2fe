import { healthServer } from '../http/health.ts';
import { requestBucketsSeconds } from '../membership/request-times.ts';
import { registerClusterMetrics } from '../observability/cluster-metrics.ts';
import { registerResourceMetrics } from '../observability/resource-metrics.ts';
import { nodeMetrics } from '../observability/metrics.ts';
import type { NodeMetrics } from '../observability/metrics.ts';
import { clusterMetricsOf } from './cluster-metrics.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import type { MembershipService } from './membership-service.ts';
import { nodeHealth } from './node-health.ts';
import { Resources } from './resources.ts';
import type { Service } from './services.ts';

/** Answers probes and Prometheus, from the first moment to the last. */
export interface HealthServiceParts {
  readonly data: Pick<DataService, 'database'>;
  readonly membership: MembershipService;
  readonly metrics: () => NodeMetrics;
  /** Before each reading of the metrics. */
  readonly refresh: () => Promise<void>;
  /** Resolves when the node serves. */
  readonly started: Promise<void>;
}

export function healthService(context: NodeContext, parts: HealthServiceParts): Service {
  const { health, portLog, progress, clock } = context;
  const { data, membership, metrics, refresh, started } = parts;
  let resources: Resources | undefined;
  return {
    name: 'health',
    start() {
      const measured = new Resources(() => clock.now());
      resources = measured;
      const now = () => ({
        ...nodeHealth(progress, data.database, membership.membership),
        resources: measured.health,
      });
      const registry = nodeMetrics(metrics);
      const clusterNow = () => clusterMetricsOf(membership);
      registerClusterMetrics(registry, clusterNow, requestBucketsSeconds);
      registerResourceMetrics(registry, () => measured.usage);
      const refreshed = {
        contentType: registry.contentType,
        metrics: async () => {
          await refresh();
          return registry.metrics();
        },
      };
      health.port.answerWith(healthServer(now, refreshed, { over: started, clock }));
      portLog.follow(health.port.tcp, 'health and metrics');
    },
    stop() {
      health.port.tcp.close();
      health.port.destroy();
      resources?.stop();
    },
  };
}
