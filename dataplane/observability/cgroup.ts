/**
 * What the control group of the process has used and may use, for cgroup v2 and v1. Memory is the working set,
 * as the kubelet reckons it: without page cache that can be given back. Pure: the files are read by whoever
 * hands in `read`.
 */
export interface CgroupUsage {
  readonly cpuSeconds: number;
  /** Cores; undefined without a limit. */
  readonly cpuLimit: number | undefined;
  readonly workingSetBytes: number;
  /** Undefined without a limit. */
  readonly memoryLimitBytes: number | undefined;
}

/** The text of a file below `/sys/fs/cgroup`; undefined when there is none. */
type ReadFile = (path: string) => string | undefined;

/** A limit of v1 above this is none: it is the largest number of pages. */
const noLimitBytes = 2 ** 60;

/** Undefined when neither version tells. */
export const cgroupUsage = (read: ReadFile): CgroupUsage | undefined =>
  version2(read) ?? version1(read);

function numberIn(text: string | undefined): number | undefined {
  const number = Number(text?.trim());
  return text === undefined || text.trim() === '' || !Number.isFinite(number) ? undefined : number;
}

/** The value of a line `key value`. */
function fieldIn(text: string | undefined, key: string): number | undefined {
  const line = text?.split('\n').find((each) => each.startsWith(`${key} `));
  return numberIn(line?.slice(key.length + 1));
}

const workingSet = (used: number, inactive: number | undefined): number =>
  Math.max(0, used - (inactive ?? 0));

function version2(read: ReadFile): CgroupUsage | undefined {
  const used = numberIn(read('memory.current'));
  const microseconds = fieldIn(read('cpu.stat'), 'usage_usec');
  if (used === undefined || microseconds === undefined) return undefined;
  const [quota, period] = (read('cpu.max') ?? '').split(' ').map(numberIn);
  return {
    cpuSeconds: microseconds / 1e6,
    cpuLimit: quota === undefined || period === undefined ? undefined : quota / period,
    workingSetBytes: workingSet(used, fieldIn(read('memory.stat'), 'inactive_file')),
    memoryLimitBytes: numberIn(read('memory.max')),
  };
}

function version1(read: ReadFile): CgroupUsage | undefined {
  const used = numberIn(read('memory/memory.usage_in_bytes'));
  const nanoseconds = numberIn(read('cpuacct/cpuacct.usage'));
  if (used === undefined || nanoseconds === undefined) return undefined;
  const quota = numberIn(read('cpu/cpu.cfs_quota_us'));
  const period = numberIn(read('cpu/cpu.cfs_period_us'));
  const isLimited = quota !== undefined && quota > 0 && period !== undefined;
  const limit = numberIn(read('memory/memory.limit_in_bytes'));
  return {
    cpuSeconds: nanoseconds / 1e9,
    cpuLimit: isLimited ? quota / period : undefined,
    workingSetBytes: workingSet(used, fieldIn(read('memory/memory.stat'), 'total_inactive_file')),
    memoryLimitBytes: limit === undefined || limit >= noLimitBytes ? undefined : limit,
  };
}
