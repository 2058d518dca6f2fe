import { fork } from 'node:child_process';
import { ensureDebianPackages, requireLinuxRoot } from '../k8s/local/host/debian.ts';
import { ensureKube } from '../k8s/local/cluster/kube-build.ts';
import { debianRecord } from '../k8s/local/cluster/layout.ts';
import { startCluster, stopAbandoned, stopCluster } from '../k8s/local/cluster/cluster.ts';
import { consoleSteps } from '../k8s/local/host/steps.ts';
import { runProgram } from '../k8s/local/program.ts';
import { testFiles } from './stage.ts';
import type { StageResult } from './stage.ts';

/**
 * Every test, in stages; each stage prepares what its tests need and is over before the next begins.
 * The last line is `N passed, N failed`. A stage that cannot be prepared, or whose process dies, counts
 * as one failure: nothing that was not run can look like a success.
 */
interface Stage {
  readonly about: string;
  readonly patterns: readonly string[];
  readonly timeoutMs: number;
  /** Prepares what the tests need; answers their environment. */
  prepare(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  cleanUp(): Promise<void>;
}

const folders = '{dataplane,operator,test,k8s}';
const steps = consoleSteps();
/** Not the names of `up`: a test run neither needs nor disturbs a cluster that is up. */
const controlInstance = `test-control-${process.pid}`;

async function prepareKube(signal: AbortSignal): Promise<string> {
  requireLinuxRoot('npm test');
  await steps.run('Debian packages', (step) => ensureDebianPackages(step, debianRecord));
  await steps.run('left-overs of killed test runs', async (step) => {
    step.progress((await stopAbandoned()).join(', ') || 'none');
  });
  return steps.run('Kubernetes program', (step) => ensureKube(step, signal));
}

const stages: Readonly<Record<string, Stage>> = {
  unit: {
    about: 'tests beside the code, without a cluster',
    patterns: [`${folders}/**/*.test.ts`, '!**/*.kube.test.ts', '!**/*.e2e.test.ts'],
    timeoutMs: 20_000,
    prepare: async () => ({}),
    cleanUp: async () => undefined,
  },
  kube: {
    about: 'tests against a real control plane',
    patterns: [`${folders}/**/*.kube.test.ts`],
    timeoutMs: 60_000,
    async prepare(signal) {
      const kube = await prepareKube(signal);
      const options = { instance: controlInstance, nodes: 0, kube, temporary: true, steps, signal };
      const cluster = await startCluster(options);
      return { PHOTONDB_TEST_KUBECONFIG: cluster.kubeconfig, PHOTONDB_TEST_BIN: kube };
    },
    cleanUp: () => stopCluster(controlInstance),
  },
  e2e: {
    about: 'the whole chain on real nodes',
    patterns: ['test/e2e/**/*.e2e.test.ts'],
    timeoutMs: 180_000,
    prepare: async (signal) => ({ PHOTONDB_TEST_BIN: await prepareKube(signal) }),
    cleanUp: async () => void (await stopAbandoned()),
  },
};

const nothingRun: StageResult = { passed: 0, failed: 1, pending: 0, unproven: ['(did not end)'] };

/** Runs a stage's tests in a process of their own. */
function runTests(
  { timeoutMs, patterns }: Stage,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<StageResult> {
  return new Promise((resolve) => {
    let result = nothingRun;
    const args = [String(timeoutMs), ...patterns];
    const child = fork(new URL('./stage.ts', import.meta.url), args, {
      env: { ...process.env, ...env },
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop);
    child.on('message', (message) => (result = message as StageResult));
    child.on('exit', () => {
      signal.removeEventListener('abort', stop);
      resolve(result);
    });
  });
}

async function runStage(name: string, stage: Stage, signal: AbortSignal): Promise<StageResult> {
  if (testFiles(stage.patterns).length === 0) return { ...nothingRun, failed: 0, unproven: [] };
  const started = Date.now();
  console.log(`\n=== ${name}: ${stage.about}`);
  let result = nothingRun;
  try {
    result = await runTests(stage, await stage.prepare(signal), signal);
  } catch (error) {
    console.error(
      `  !! ${name} cannot be prepared: ${error instanceof Error ? error.message : ''}`,
    );
  } finally {
    await stage.cleanUp();
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`=== ${name}: ${result.passed} passed, ${result.failed} failed (${seconds} s)`);
  return result;
}

await runProgram(async (signal) => {
  const args = process.argv.slice(2);
  const wanted = args.filter((arg) => Object.hasOwn(stages, arg));
  const files = args.filter((arg) => !Object.hasOwn(stages, arg));
  const narrowed = Object.entries(stages).map(([name, stage]): [string, Stage] => [
    name,
    { ...stage, patterns: [...stage.patterns, ...files.map((part) => `=${part}`)] },
  ]);
  const unknown = files.find((part) =>
    narrowed.every(([, { patterns }]) => !testFiles(patterns).some((file) => file.includes(part))),
  );
  if (unknown !== undefined) {
    const names = Object.keys(stages).join(', ');
    console.error(`"${unknown}" is no stage (${names}) and no part of a test file's path`);
    return 2;
  }
  let [passed, failed] = [0, 0];
  const unproven: string[] = [];
  for (const [name, stage] of narrowed) {
    if (signal.aborted || (wanted.length > 0 && !wanted.includes(name))) continue;
    const result = await runStage(name, stage, signal);
    passed += result.passed;
    failed += result.failed + result.pending; // A test that was skipped has proven nothing.
    unproven.push(...result.unproven.map((title) => `  ${name}: ${title}`));
  }
  if (unproven.length > 0) console.log(`\nfailed or skipped:\n${unproven.join('\n')}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 && !signal.aborted ? 0 : 1;
});
