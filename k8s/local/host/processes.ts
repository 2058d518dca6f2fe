import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * What runs on the machine, read from /proc each time it is asked. Nothing here trusts a file of
 * process numbers: after a kill or a reboot such a file names strangers.
 */
export interface Process {
  readonly pid: number;
  readonly command: readonly string[];
}

/** A file of /proc, or undefined when its process has ended meanwhile. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

export function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      command: (readProc(`${name}/cmdline`) ?? '').split('\0').slice(0, -1),
    }))
    .filter(({ command }) => command.length > 0);
}

/** The name of the program, without its folder. */
export const programOf = ({ command }: Process): string => basename(command[0] ?? '');

/** The identity of a process's pid namespace; undefined when it has ended. */
export function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Clock ticks after boot at which a process started: with its pid, its identity until reboot. */
export function startTime(pid: number): string | undefined {
  // The name, in brackets, may hold anything: the fields are counted from behind it.
  const stat = readProc(`${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** The cgroup paths of a process, as text. */
export const cgroupsOf = (pid: number): string => readProc(`${pid}/cgroup`) ?? '';

/** The process's number in each pid namespace that it is in, the machine's own first. */
export function namespacedPids(pid: number): number[] {
  const line = /^NSpid:\s*(.*)$/m.exec(readProc(`${pid}/status`) ?? '')?.[1] ?? '';
  return line.split(/\s+/).map(Number);
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Sends a signal; a process that has ended already is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
