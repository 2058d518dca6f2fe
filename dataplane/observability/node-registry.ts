import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { driverCounters, gauges, nodeCounters, tableCounters, tableGauges } from './metrics.ts';
import type { NodeMetrics } from './metrics.ts';

/** Tables with metrics of their own; the others are only in `photondb_tables`. */
export const tablesMax = 1_000;

/** The metrics of a node as Prometheus reads them; `read` is called once for each scrape. */
export function nodeMetrics(read: () => NodeMetrics): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // One reading for all metrics of a scrape: the first that is asked takes it.
  let current = read();
  const info = new Gauge({
    name: 'photondb_build_info',
    help: 'Always 1; the version is in the label.',
    labelNames: ['version'],
    registers,
    collect(): void {
      current = read();
      info.set({ version: current.version }, 1);
    },
  });
  for (const { name, help, read: value } of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: () => gauge.set(value(current)),
    });
  }
  const ofDrivers = driverCounters.map((each) => ({
    ...each,
    read: (from: NodeMetrics): number => each.read(from.drivers),
  }));
  for (const { name, help, read: value } of [...nodeCounters, ...ofDrivers]) {
    const collect = (): void => {
      counter.reset();
      counter.inc(value(current));
    };
    const counter: Counter = new Counter({ name, help, registers, collect });
  }
  const labelNames = ['table'];
  const tables = (): NodeMetrics['tables'] => current.tables.slice(0, tablesMax);
  for (const { name, help, read: value } of tableGauges) {
    const collect = (): void => {
      gauge.reset();
      for (const table of tables()) gauge.set({ table: table.name }, value(table));
    };
    const gauge: Gauge = new Gauge({ name, help, labelNames, registers, collect });
  }
  for (const { name, help, read: value } of tableCounters) {
    const collect = (): void => {
      counter.reset();
      for (const table of tables()) counter.inc({ table: table.name }, value(table));
    };
    const counter: Counter = new Counter({ name, help, labelNames, registers, collect });
  }
  return registry;
}
