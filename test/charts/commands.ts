import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { startCluster, stopCluster } from '../../k8s/local/cluster/cluster.ts';
import type { Cluster } from '../../k8s/local/cluster/cluster.ts';
import { mustRun, run } from '../../k8s/local/host/run.ts';
import type { RunResult } from '../../k8s/local/host/run.ts';

/**
 * helm and kubectl as the tests of the charts use them, against a control plane of their own: types of
 * the API belong to a whole cluster, and these tests install, upgrade and remove them.
 */
export const root = join(import.meta.dirname, '..', '..');

export const charts = ['photondb-crds', 'photondb-operator', 'photondb-cluster'] as const;
export type Chart = (typeof charts)[number];
export const chartFolder = (chart: Chart): string => join(root, 'helm', chart);
export const valuesFile = (name: string): string =>
  join(import.meta.dirname, 'values', `${name}.yaml`);

/** The value sets that every chart is tested with. */
export const valueSets: Readonly<Record<Chart, readonly string[]>> = {
  'photondb-crds': ['crds-default'],
  'photondb-operator': ['operator-default', 'operator-hardened', 'operator-namespaced'],
  'photondb-cluster': ['cluster-default', 'cluster-complete', 'cluster-private-registry'],
};

/** Helm cannot change one item of a list: the arguments that set the pools to one with these fields. */
export function onePool(fields: Readonly<Record<string, unknown>>): string[] {
  const pool = { name: 'main', roles: ['data'], storage: { size: '1Gi' }, ...fields };
  return ['--set-json', `pools=${JSON.stringify([pool])}`];
}

/** Any Kubernetes object, as far as these tests look into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly rules?: readonly PolicyRule[];
  readonly subjects?: readonly { readonly namespace?: string }[];
}

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** The folder with helm and kubectl; built by `npm test`. */
function binaries(): string {
  const folder = process.env['PHOTONDB_TEST_BIN'];
  if (folder === undefined) {
    throw new Error('set PHOTONDB_TEST_BIN to the folder with helm and kubectl, or run `npm test`');
  }
  return folder;
}

let helmHome: string | undefined;

/** Helm's own folders: nothing of the user's is read or written. */
function helmEnvironment(): Record<string, string> {
  helmHome ??= temporaryHome();
  return {
    HELM_CACHE_HOME: join(helmHome, 'cache'),
    HELM_CONFIG_HOME: join(helmHome, 'config'),
    HELM_DATA_HOME: join(helmHome, 'data'),
  };
}

function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'photondb-helm-'));
  process.once('exit', () => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** Helm without a cluster: lint and template. */
export const helm = (args: readonly string[]): Promise<RunResult> =>
  run([join(binaries(), 'helm'), ...args], { env: helmEnvironment() });

export const render = (
  release: string,
  chart: Chart,
  args: readonly string[] = [],
): Promise<string> =>
  mustRun([join(binaries(), 'helm'), 'template', release, chartFolder(chart), ...args], {
    env: helmEnvironment(),
  });

export const parseManifests = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

export const readManifests = (path: string): Manifest[] =>
  parseManifests(readFileSync(path, 'utf8'));

/** kubectl's work without a cluster. */
export const kustomize = (folder: string): Promise<string> =>
  mustRun([join(binaries(), 'kubectl'), 'kustomize', folder]);

/** A control plane with its kubectl and helm. */
export class ControlPlane {
  readonly kubeconfig: string;
  readonly #instance: string;

  private constructor(cluster: Cluster, instance: string) {
    this.kubeconfig = cluster.kubeconfig;
    this.#instance = instance;
  }

  static async start(name: string): Promise<ControlPlane> {
    const instance = `${name}-${process.pid}`;
    const kube = binaries();
    return new ControlPlane(
      await startCluster({ instance, nodes: 0, kube, temporary: true }),
      instance,
    );
  }

  stop(): Promise<void> {
    return stopCluster(this.#instance);
  }

  kubectl(args: readonly string[], input?: string): Promise<RunResult> {
    return run([join(binaries(), 'kubectl'), ...args], this.#options(input));
  }

  mustKubectl(args: readonly string[], input?: string): Promise<string> {
    return mustRun([join(binaries(), 'kubectl'), ...args], this.#options(input));
  }

  helm(args: readonly string[]): Promise<RunResult> {
    return run([join(binaries(), 'helm'), ...args], this.#options());
  }

  mustHelm(args: readonly string[]): Promise<string> {
    return mustRun([join(binaries(), 'helm'), ...args], this.#options());
  }

  async get(args: readonly string[]): Promise<Manifest> {
    return JSON.parse(await this.mustKubectl(['get', ...args, '-o', 'json'])) as Manifest;
  }

  apply(manifests: string, args: readonly string[]): Promise<RunResult> {
    return this.kubectl(['apply', '--validate=strict', ...args, '-f', '-'], manifests);
  }

  #options(input?: string): { env: Record<string, string>; input?: string } {
    return {
      env: { ...helmEnvironment(), KUBECONFIG: this.kubeconfig },
      ...(input !== undefined && { input }),
    };
  }
}
