import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeHealth } from '../http/health.ts';
import { cgroupUsage } from '../observability/cgroup.ts';
import type { CgroupUsage } from '../observability/cgroup.ts';
import { CpuRate, resourceReasons } from '../observability/resource-reasons.ts';

/** What the process uses of its machine or pod, and how long its event loop keeps others waiting. */
const resolutionMs = 20;
const root = '/sys/fs/cgroup';
/** Delays older than this are forgotten, so that health shows what is now. */
const windowMs = 60_000;

function readCgroupFile(path: string): string | undefined {
  try {
    return readFileSync(`${root}/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** Where no control group tells, the process itself is measured. */
function ownUsage(): CgroupUsage {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    cpuLimit: undefined,
    workingSetBytes: process.memoryUsage.rss(),
    memoryLimitBytes: undefined,
  };
}

export class Resources {
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #now: () => number;
  readonly #cpu: CpuRate;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
    this.#cpu = new CpuRate(now(), this.usage.cpuSeconds);
    this.#delays.enable();
  }

  get usage(): CgroupUsage {
    return cgroupUsage(readCgroupFile) ?? ownUsage();
  }

  get health(): NonNullable<NodeHealth['resources']> {
    const { usage } = this;
    const { cpuSeconds, cpuLimit, workingSetBytes, memoryLimitBytes } = usage;
    const cpuCores = this.#cpu.read(this.#now(), cpuSeconds);
    // The samples include the time between two of them. Before the first one there is no delay.
    const inMs = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds)
        ? Math.max(0, Math.round(nanoseconds / 1e4) / 100 - resolutionMs)
        : 0;
    const eventLoopDelayP99Ms = inMs(this.#delays.percentile(99));
    const reasons = resourceReasons({ ...usage, cpuCores, eventLoopDelayP99Ms });
    const answer = {
      state: reasons.length === 0 ? ('ok' as const) : ('degraded' as const),
      reasons,
      cpuSeconds,
      cpuCores: Math.round(cpuCores * 1_000) / 1_000,
      cpuLimit: cpuLimit ?? null,
      workingSetBytes,
      memoryLimitBytes: memoryLimitBytes ?? null,
      eventLoopDelayMs: {
        p50: inMs(this.#delays.percentile(50)),
        p99: eventLoopDelayP99Ms,
        max: inMs(this.#delays.max),
      },
    };
    if (this.#now() - this.#since > windowMs) {
      this.#since = this.#now();
      this.#delays.reset();
    }
    return answer;
  }

  stop(): void {
    this.#delays.disable();
  }
}
