// `npm run check`: everything that can be said of the sources without running them, side by side.
// Plain JavaScript for Node 18 and later, since it may be the first command on a fresh machine.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../k8s/local/bootstrap.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');

/** Each check is a command line; all of them run whatever the others say. */
const checks = {
  types: ['tsc', '-p', '.'],
  lint: ['oxlint', '--type-aware', '--deny-warnings'],
  format: ['oxfmt', '--check', '.'],
  'dead code': ['knip', '--no-progress'],
  arrows: ['mocha', '--no-config', 'test/tidy.test.ts'],
  'generated files': ['node', 'operator/api/generate.ts', '--check'],
  'reql reference': ['node', 'test/generate-reql-reference.ts', '--check'],
};

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: String(error) }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

async function check(name, [command, ...args]) {
  const started = Date.now();
  const { code, output } = await run(command, args);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

ensurePackages();
const only = process.argv.slice(2);
const chosen = Object.entries(checks).filter(([name]) => only.length === 0 || only.includes(name));
const results = await Promise.all(chosen.map(([name, command]) => check(name, command)));
process.exit(results.every(Boolean) ? 0 : 1);
