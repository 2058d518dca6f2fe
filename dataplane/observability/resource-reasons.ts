/** Why the resources of a node are short, as sentences for people; empty while there is enough. Pure. */
export interface ResourceState {
  /** Used on average since the last reading. */
  readonly cpuCores: number;
  readonly cpuLimit: number | undefined;
  readonly workingSetBytes: number;
  readonly memoryLimitBytes: number | undefined;
  readonly eventLoopDelayP99Ms: number;
}

/** Of the memory limit: the kernel ends processes at the limit. */
const memoryShareMax = 0.9;
/** Of the CPU limit: a pod at its limit is throttled. */
const cpuShareMax = 0.95;
/** Heartbeats and probes wait as long; other nodes begin to suspect this one after a second. */
const delayMsMax = 500;

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
const percent = (share: number): number => Math.round(share * 100);

export function resourceReasons(state: ResourceState): string[] {
  const { cpuCores, cpuLimit, workingSetBytes, memoryLimitBytes, eventLoopDelayP99Ms } = state;
  const reasons: string[] = [];
  if (memoryLimitBytes !== undefined && workingSetBytes > memoryLimitBytes * memoryShareMax) {
    reasons.push(
      `The node uses ${mebibytes(workingSetBytes)} MiB of its ${mebibytes(memoryLimitBytes)} MiB of memory (${percent(workingSetBytes / memoryLimitBytes)} %). Raise the memory limit, or lower cache-mib, memtable-mib or queries-memory-mib.`,
    );
  }
  if (cpuLimit !== undefined && cpuCores > cpuLimit * cpuShareMax) {
    reasons.push(
      `The node uses ${cpuCores.toFixed(2)} of its ${cpuLimit} CPU cores. Raise the CPU limit.`,
    );
  }
  if (eventLoopDelayP99Ms > delayMsMax) {
    reasons.push(
      `The event loop of the core was delayed for ${Math.round(eventLoopDelayP99Ms)} ms (99th percentile). The machine is overloaded, or the pod is throttled.`,
    );
  }
  return reasons;
}

/** The cores that are used on average, from readings of the CPU time. */
export class CpuRate {
  #from: { readonly atMs: number; readonly cpuSeconds: number };
  #cores = 0;

  constructor(atMs: number, cpuSeconds: number) {
    this.#from = { atMs, cpuSeconds };
  }

  /** Since a reading that is at least a second old; before that, what was known. */
  read(atMs: number, cpuSeconds: number): number {
    const seconds = (atMs - this.#from.atMs) / 1_000;
    if (seconds < 1) return this.#cores;
    this.#cores = Math.max(0, cpuSeconds - this.#from.cpuSeconds) / seconds;
    this.#from = { atMs, cpuSeconds };
    return this.#cores;
  }
}
