import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';
import { run } from '../host/run.ts';
import type { RunResult } from '../host/run.ts';
import { waitFor } from '../host/wait.ts';
import { logFile } from './layout.ts';
import type { Layout } from './layout.ts';
import { findProgram, startProgram } from './machine.ts';
import type { Machine } from './machine.ts';
import { kubeconfigOf } from './pki.ts';
import type { Credentials } from './pki.ts';

/** etcd, API server, controller manager and scheduler: the programs of the machine `control`. */
export interface ControlPlaneOptions {
  /** The folder with the program of Kubernetes. */
  readonly kube: string;
  readonly credentials: Credentials;
  readonly withNodes: boolean;
  /** Whether etcd waits for the disk: what a test makes need not outlive a power cut. */
  readonly durable: boolean;
  readonly signal?: AbortSignal | undefined;
}

const readyTimeoutMs = 90_000;
const probeTimeoutMs = 2_000;
const kubectlTimeoutMs = 180_000;

type Flags = Readonly<Record<string, string | number | boolean>>;

const flagList = (flags: Flags): string[] =>
  Object.entries(flags).map(([name, value]) => `--${name}=${value}`);

/** Where etcd and the health ports listen: within the machine's network, or on the instance's own loopback address. */
const inner = (layout: Layout, { withNodes }: ControlPlaneOptions): string =>
  withNodes ? '127.0.0.1' : layout.api;

function etcd(layout: Layout, options: ControlPlaneOptions): string[] {
  const [client, peer] = [2379, 2380].map((port) => `http://${inner(layout, options)}:${port}`);
  const data = join(layout.directory, 'etcd');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  chmodSync(data, 0o700);
  return flagList({
    name: 'control',
    'data-dir': data,
    'unsafe-no-fsync': !options.durable,
    'log-level': 'warn',
    'listen-client-urls': client ?? '',
    'advertise-client-urls': client ?? '',
    'listen-peer-urls': peer ?? '',
    'initial-advertise-peer-urls': peer ?? '',
    'initial-cluster': `control=${peer}`,
  });
}

function apiServer(layout: Layout, options: ControlPlaneOptions): string[] {
  const { certificate, key, tokensFile } = options.credentials;
  return flagList({
    'etcd-servers': `http://${inner(layout, options)}:2379`,
    'bind-address': layout.api,
    'secure-port': 6443,
    'advertise-address': layout.api,
    'endpoint-reconciler-type': options.withNodes ? 'lease' : 'none',
    'tls-cert-file': certificate,
    'tls-private-key-file': key,
    'token-auth-file': tokensFile,
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    // Not the key: the API server takes no PKCS#8 private key here.
    'service-account-key-file': certificate,
    'service-account-signing-key-file': key,
    'service-cluster-ip-range': layout.network.services,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': true,
    'kubelet-preferred-address-types': 'InternalIP',
    profiling: false,
  });
}

function controllerManager(layout: Layout, options: ControlPlaneOptions): string[] {
  const { certificate, key } = options.credentials;
  return flagList({
    kubeconfig: kubeconfigOf(layout, 'controller-manager'),
    'bind-address': inner(layout, options),
    'leader-elect': false,
    'use-service-account-credentials': true,
    'service-account-private-key-file': key,
    'root-ca-file': certificate,
    'cluster-signing-cert-file': certificate,
    'cluster-signing-key-file': key,
    'node-monitor-period': '2s',
    'node-monitor-grace-period': '12s',
  });
}

function scheduler(layout: Layout, options: ControlPlaneOptions): string[] {
  return flagList({
    kubeconfig: kubeconfigOf(layout, 'scheduler'),
    'bind-address': inner(layout, options),
    'leader-elect': false,
  });
}

/** Starts what does not run yet, and waits until the API answers and has made the default account. */
export async function startControlPlane(
  control: Machine,
  options: ControlPlaneOptions,
): Promise<void> {
  const { layout } = control;
  const start = (name: string, args: readonly string[]): void =>
    startProgram(control, [join(options.kube, name), ...args], name);
  start('etcd', etcd(layout, options));
  start('kube-apiserver', apiServer(layout, options));
  // The controller manager exits after 10 s without an API server, so it starts after it.
  await waitForApi(control, options);
  start('kube-controller-manager', controllerManager(layout, options));
  start('kube-scheduler', scheduler(layout, options));
  await waitFor(
    async () => {
      const get = ['get', 'serviceaccount', 'default', '--namespace', 'default'];
      return (await kubectl(layout, options.kube, get)).code === 0;
    },
    {
      what: 'the default service account',
      timeoutMs: readyTimeoutMs,
      signal: options.signal,
      explain: () => logEnd(layout, 'kube-controller-manager'),
    },
  );
}

async function waitForApi(control: Machine, options: ControlPlaneOptions): Promise<void> {
  const { layout } = control;
  const authority = readFileSync(options.credentials.certificate, 'utf8');
  await waitFor(
    async () => {
      for (const program of ['etcd', 'kube-apiserver']) {
        if (findProgram(control, program) === undefined && (await isStillMissing(control, program)))
          throw new LocalError(
            'local.component_failed',
            `${program} has ended:\n${logEnd(layout, program)}`,
          );
      }
      return isReady(layout.api, authority);
    },
    {
      what: `the API server at https://${layout.api}:6443`,
      timeoutMs: readyTimeoutMs,
      signal: options.signal,
      explain: () => logEnd(layout, 'kube-apiserver'),
    },
  );
}

/** A program that was just started appears under its name only when nsenter has become it. */
async function isStillMissing(machine: Machine, program: string): Promise<boolean> {
  const deadline = Date.now() + 2_000;
  return !(await waitFor(
    () => findProgram(machine, program) !== undefined || Date.now() > deadline,
    {
      what: program,
      timeoutMs: 5_000,
    },
  ).then(() => findProgram(machine, program) !== undefined));
}

export function logEnd(layout: Layout, component: string, machine = 'control'): string {
  try {
    const text = readFileSync(logFile(layout, machine, component), 'utf8').trim();
    return text.split('\n').slice(-6).join('\n');
  } catch {
    return `(${component} has no log)`;
  }
}

function isReady(address: string, authority: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { ca: authority, timeout: probeTimeoutMs, agent: false };
    const call = request(`https://${address}:6443/readyz`, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

/** Runs the cluster's own kubectl as its admin. */
export function kubectl(
  layout: Layout,
  kube: string,
  args: readonly string[],
  input?: string,
): Promise<RunResult> {
  return run([join(kube, 'kubectl'), ...args], {
    env: { KUBECONFIG: kubeconfigOf(layout, 'admin') },
    timeoutMs: kubectlTimeoutMs,
    ...(input !== undefined && { input }),
  });
}
