import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';

/** A limit of memory that the kernel enforces, page cache included: a control group of its own. */
const execute = promisify(execFile);
const root = '/sys/fs/cgroup';

interface ControlGroup {
  readonly directory: string;
  /** File of the limit. */
  readonly limit: string;
  /** File of the most that was used. */
  readonly peak: string;
}

/** Version 2, or the memory hierarchy of version 1; undefined when there is neither, or no right to it. */
function controlGroup(name: string): ControlGroup | undefined {
  if (getuid?.() !== 0) return undefined;
  const controllers = join(root, 'cgroup.subtree_control');
  if (existsSync(controllers) && readFileSync(controllers, 'utf8').includes('memory')) {
    return { directory: join(root, name), limit: 'memory.max', peak: 'memory.peak' };
  }
  const directory = join(root, 'memory', name);
  return existsSync(join(root, 'memory', 'memory.limit_in_bytes'))
    ? { directory, limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes' }
    : undefined;
}

export interface LimitedRun {
  readonly stdout: string;
  readonly peakBytes: number;
}

/**
 * Runs a command that may not use more memory than `limitBytes`; a command that needs more is killed,
 * which rejects. Undefined where no control group can be made.
 */
export async function runLimited(
  command: readonly string[],
  limitBytes: number,
): Promise<LimitedRun | undefined> {
  const group = controlGroup(`photondb-bench-${process.pid}`);
  if (group === undefined) return undefined;
  mkdirSync(group.directory);
  try {
    writeFileSync(join(group.directory, group.limit), String(limitBytes));
    const enter = `echo $$ > ${join(group.directory, 'cgroup.procs')} && exec "$@"`;
    const { stdout } = await execute('sh', ['-c', enter, 'sh', ...command]);
    const peak = join(group.directory, group.peak);
    const peakBytes = existsSync(peak) ? Number(readFileSync(peak, 'utf8')) : Number.NaN;
    return { stdout, peakBytes };
  } finally {
    rmdirSync(group.directory);
  }
}
