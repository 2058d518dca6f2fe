import { openMetricsContentType, Registry } from 'prom-client';
import type { Metric, OpenMetricsContentType } from 'prom-client';

/** The metrics of a registry in the format of OpenMetrics: the library writes one format for each registry. */
export function inOpenMetrics(registry: Registry): Registry<OpenMetricsContentType> {
  const open = new Registry<OpenMetricsContentType>();
  open.setContentType(openMetricsContentType);
  for (const metric of registry.getMetricsAsArray()) {
    open.registerMetric(metric as unknown as Metric);
  }
  return open;
}
