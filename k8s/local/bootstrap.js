// The first steps on a fresh machine: plain JavaScript for Node 18 and later, since there is no
// node_modules yet. Installs the npm packages when they differ from the lock file, then continues in the
// pinned Node, which runs TypeScript directly.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const pinnedNode = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');

/** Ends the program with a sentence on what happened and, on a second line, what to do. */
function fail(message, remedy) {
  console.error(`error: ${message}`);
  if (remedy) console.error(remedy);
  process.exit(1);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // Not there, or cut off by an interrupted install: install again.
  }
}

/** Whether each package of the lock file is installed in its version, as npm has written it down. */
function packagesAreInstalled() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (wanted === undefined)
    fail('package-lock.json is missing or broken', 'Clone the repository again.');
  if (installed === undefined || !existsSync(pinnedNode)) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
}

function installPackages() {
  const started = Date.now();
  // On standard error, all of it: standard output belongs to the program that runs then.
  console.error('  .. npm packages');
  // Warnings would be about the machine's own Node, which runs no more than this file.
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawnSync('npm', args, { cwd: root, stdio: ['inherit', 2, 2] });
  if (npm.error) {
    fail(`npm cannot be run: ${npm.error.message}`, 'Install npm (Debian: apt-get install npm).');
  }
  if (npm.status !== 0) {
    fail(
      'npm ci failed (its own message is above)',
      'Check the network; behind a proxy set HTTPS_PROXY, or the registry of npm to one that you can reach.',
    );
  }
  console.error(`  ok npm packages (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

/** Installs the npm packages when they differ from the lock file. */
export function ensurePackages() {
  if (!packagesAreInstalled()) installPackages();
}

/** Runs a TypeScript program (by its URL) with the pinned Node, and ends as it ends. */
export function runPinned(program, args) {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    fail(`this needs Linux on x64 or arm64, and this is ${process.platform} on ${process.arch}`);
  }
  ensurePackages();
  if (!existsSync(pinnedNode)) {
    fail(
      'npm has not installed the pinned Node',
      'Look for "optional" or "omit" in your npm settings: optional packages are needed.',
    );
  }
  const bin = join(root, 'node_modules', '.bin');
  const child = spawn(
    pinnedNode,
    ['--disable-warning=ExperimentalWarning', fileURLToPath(program), ...args],
    { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } },
  );
  // On a terminal Ctrl-C reaches the child too, which cleans up: this process only waits for it.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => fail(`the pinned Node does not start: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
