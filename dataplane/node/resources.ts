import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Timer } from '../common/clock.ts';
import type { NodeHealth } from '../http/health.ts';
import { cgroupUsage } from '../observability/cgroup.ts';
import type { CgroupUsage } from '../observability/cgroup.ts';
import { CpuRate, resourceReasons } from '../observability/resource-reasons.ts';

/** What the process uses of its machine or pod, and how long its event loop keeps others waiting. */
/** Each sample wakes the process: at 20 ms they took a quarter of the CPU time of an idle node. */
const resolutionMs = 100;
const root = '/sys/fs/cgroup';
/** Health shows the delays of one to two of these. */
const windowMs = 30_000;

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

interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class Resources {
  readonly #delays = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #clock: Pick<Clock, 'now' | 'timer'>;
  readonly #cpu: CpuRate;
  /** Of the window before this one. */
  #former: Delays | undefined;
  #rotation: Timer;

  constructor(clock: Pick<Clock, 'now' | 'timer'>) {
    this.#clock = clock;
    this.#cpu = new CpuRate(clock.now(), this.usage.cpuSeconds);
    this.#delays.enable();
    this.#rotation = this.#rotateLater();
  }

  get usage(): CgroupUsage {
    return cgroupUsage(readCgroupFile) ?? ownUsage();
  }

  get health(): NonNullable<NodeHealth['resources']> {
    const { usage } = this;
    const { cpuSeconds, cpuLimit, workingSetBytes, memoryLimitBytes } = usage;
    const cpuCores = this.#cpu.read(this.#clock.now(), cpuSeconds);
    const eventLoopDelayMs = worse(this.#measured, this.#former);
    const reasons = resourceReasons({
      ...usage,
      cpuCores,
      eventLoopDelayP99Ms: eventLoopDelayMs.p99,
    });
    return {
      state: reasons.length === 0 ? 'ok' : 'degraded',
      reasons,
      cpuSeconds,
      cpuCores: Math.round(cpuCores * 1_000) / 1_000,
      cpuLimit: cpuLimit ?? null,
      workingSetBytes,
      memoryLimitBytes: memoryLimitBytes ?? null,
      eventLoopDelayMs,
    };
  }

  stop(): void {
    this.#rotation.cancel();
    this.#delays.disable();
  }

  get #measured(): Delays {
    // The samples include the time between two of them. Before the first one there is no delay.
    const inMs = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds)
        ? Math.max(0, Math.round(nanoseconds / 1e4) / 100 - resolutionMs)
        : 0;
    return {
      p50: inMs(this.#delays.percentile(50)),
      p99: inMs(this.#delays.percentile(99)),
      max: inMs(this.#delays.max),
    };
  }

  #rotateLater(): Timer {
    return this.#clock.timer(windowMs, () => {
      this.#former = this.#measured;
      this.#delays.reset();
      this.#rotation = this.#rotateLater();
    });
  }
}

const worse = (now: Delays, former: Delays | undefined): Delays =>
  former === undefined
    ? now
    : {
        p50: Math.max(now.p50, former.p50),
        p99: Math.max(now.p99, former.p99),
        max: Math.max(now.max, former.max),
      };
