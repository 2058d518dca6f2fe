import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';
import { run } from '../host/run.ts';
import type { RunOptions, RunResult } from '../host/run.ts';

/** A Kubernetes to install into, and the tools that reach it. */
export interface Target {
  readonly kubectl: readonly string[];
  readonly helm: readonly string[];
  readonly kubeconfig: string | undefined;
  readonly signal: AbortSignal;
}

const toolTimeoutMs = 120_000;

export function localTarget(kube: string, kubeconfig: string, signal: AbortSignal): Target {
  return { kubectl: [join(kube, 'kubectl')], helm: [join(kube, 'helm')], kubeconfig, signal };
}

/** The user's own tools with the user's own configuration; only the context is chosen. */
export function contextTarget(context: string, signal: AbortSignal): Target {
  return {
    kubectl: ['kubectl', '--context', context],
    helm: ['helm', '--kube-context', context],
    kubeconfig: undefined,
    signal,
  };
}

function options(target: Target, input?: string): RunOptions {
  return {
    timeoutMs: toolTimeoutMs,
    signal: target.signal,
    ...(target.kubeconfig !== undefined && { env: { KUBECONFIG: target.kubeconfig } }),
    ...(input !== undefined && { input }),
  };
}

/** Runs kubectl and answers what became of it. */
export const tryKubectl = (target: Target, args: readonly string[]): Promise<RunResult> =>
  run([...target.kubectl, ...args], options(target));

/** Runs kubectl, which has to succeed; what the API server said is the error's message. */
export async function kubectl(
  target: Target,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return succeeded(
    `kubectl ${args[0] ?? ''}`,
    await run([...target.kubectl, ...args], options(target, input)),
  );
}

export async function helm(target: Target, args: readonly string[]): Promise<string> {
  return succeeded(`helm ${args[0] ?? ''}`, await run([...target.helm, ...args], options(target)));
}

function succeeded(what: string, result: RunResult): string {
  if (result.code === 0) return result.stdout;
  throw new LocalError(
    'local.command_failed',
    `${what}: ${result.stderr.trim() || result.stdout.trim()}`,
  );
}
