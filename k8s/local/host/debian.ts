import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { LocalError } from './errors.ts';
import { readIfThere, writeAtomically } from './files.ts';
import { mustRun, run } from './run.ts';
import type { Step } from './steps.ts';

/**
 * What a local cluster needs of the operating system: each thing with a file that proves it and the
 * Debian package that brings it. Nothing is installed that is there already.
 */
const needs: readonly { readonly anyOf: readonly string[]; readonly debianPackage: string }[] = [
  { anyOf: commandPaths('containerd'), debianPackage: 'containerd' },
  { anyOf: commandPaths('runc'), debianPackage: 'runc' },
  { anyOf: ['/usr/lib/cni/ptp'], debianPackage: 'containernetworking-plugins' },
  { anyOf: commandPaths('nft'), debianPackage: 'nftables' },
  { anyOf: commandPaths('iptables'), debianPackage: 'iptables' },
  { anyOf: commandPaths('ip'), debianPackage: 'iproute2' },
  { anyOf: commandPaths('nsenter'), debianPackage: 'util-linux' },
  { anyOf: commandPaths('mount'), debianPackage: 'mount' },
  { anyOf: commandPaths('openssl'), debianPackage: 'openssl' },
  { anyOf: commandPaths('tar'), debianPackage: 'tar' },
];

function commandPaths(name: string): string[] {
  return ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].map(
    (folder) => `${folder}/${name}`,
  );
}

/** Another apt may be at work (unattended upgrades): wait for it this long, in s. */
const aptLockSeconds = 300;
const aptTimeoutMs = 900_000;

export function requireLinuxRoot(what: string, userId = process.getuid?.()): void {
  if (process.platform !== 'linux') {
    throw new LocalError(
      'local.unsupported_machine',
      `${what} needs Linux (its kernel runs the pods), and this is ${process.platform}`,
      'Use a Debian 12 machine, or a cluster that you have: npm run up -- --context NAME --image IMAGE',
    );
  }
  if (userId !== 0) {
    throw new LocalError(
      'local.not_root',
      `${what} needs root: it makes network namespaces and starts containers`,
      `Run it again as root: sudo -E env "PATH=$PATH" ${what}. Without root: npm run up -- --context NAME --image IMAGE uses a cluster that you have.`,
    );
  }
}

export function missingPackages(exists: (path: string) => boolean = existsSync): string[] {
  return needs.filter(({ anyOf }) => !anyOf.some(exists)).map((need) => need.debianPackage);
}

/** The packages that were installed here, by the file that keeps their names. */
export const installedPackages = (record: string): string[] =>
  (readIfThere(record) ?? '').split('\n').filter((name) => name !== '');

function noteInstalled(record: string, names: readonly string[]): void {
  const all = new Set([...installedPackages(record), ...names]);
  mkdirSync(dirname(record), { recursive: true });
  writeAtomically(record, `${[...all].join('\n')}\n`);
}

/**
 * Installs what a local cluster lacks, or what the caller does. `record` keeps the names of what was
 * installed, so that `down` can say it.
 */
export async function ensureDebianPackages(
  step: Step,
  record: string,
  missing: readonly string[] = missingPackages(),
): Promise<void> {
  if (missing.length === 0) return step.progress('all there');
  if ((await run(['apt-get', '--version']).catch(() => ({ code: 1 }))).code !== 0) {
    throw new LocalError(
      'local.unsupported_machine',
      `these are missing, and there is no apt-get to install them: ${missing.join(', ')}`,
      'Install what these Debian packages hold with the package manager of this machine.',
    );
  }
  const apt = ['apt-get', '-o', `DPkg::Lock::Timeout=${aptLockSeconds}`];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeoutMs: aptTimeoutMs, onLine: (line: string) => step.progress(line) };
  const install = [...apt, 'install', '-y', '--no-install-recommends', ...missing];
  try {
    await mustRun([...apt, 'update'], options);
    await mustRun(install, options);
    noteInstalled(record, missing);
  } catch (error) {
    throw new LocalError(
      'local.no_network',
      `apt-get could not install ${missing.join(', ')}: ${error instanceof Error ? error.message : ''}`,
      'Check the network and the sources of apt, then run the same command again.',
      error,
    );
  }
  step.progress(`installed ${missing.join(', ')}`);
}
