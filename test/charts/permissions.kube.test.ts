import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { words } from '../../k8s/local/host/run.ts';
import { waitFor } from '../../k8s/local/host/wait.ts';
import { chartFolder, ControlPlane, parseManifests, render, root } from './commands.ts';
import type { PolicyRule } from './commands.ts';
import { accessText, startRecordingProxy } from './recording-proxy.ts';
import type { RecordingProxy } from './recording-proxy.ts';

/**
 * Least privilege, measured: the real operator runs as the account that the chart makes, through a proxy
 * that writes down what it asks for. It must never be refused, and it must use what it is granted.
 */
const deadlineMs = 45_000;

/** Granted, and not asked for in a quiet run: each with the reason why it has to be there. */
const seldom: Readonly<Record<string, string>> = {
  'create authentication.k8s.io/tokenreviews': 'when a node asks for a certificate',
  'patch core/secrets': 'when a certificate authority is replaced',
  'patch photondb.io/photonpools/status': 'when the counters of a pool change',
  'update photondb.io/photonclusters/finalizers': 'asked by an admission plug-in, not by a request',
  'update photondb.io/photonpools/finalizers': 'asked by an admission plug-in, not by a request',
  'patch photondb.io/photonnodes/status': 'held only to be granted to pods',
  'patch core/persistentvolumeclaims': 'when volumes grow',
  'list apps/controllerrevisions': 'before a pod is replaced',
  'create core/pods': 'to try a new image',
  'patch core/pods': 'when a pod has no role labels yet',
  'patch events.k8s.io/events': 'when an event happens again',
};

/** Besides, what is not in the caches is read, and what cannot be changed is deleted. */
const isSeldom = (access: string): boolean =>
  Object.hasOwn(seldom, access) || /^(get|delete) /.test(access);

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority': string } },
  ];
}

const granted = (rules: readonly PolicyRule[]): string[] =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => accessText({ verb, group, resource }))),
    ),
  );

const cluster = (namespace: string): string => `
apiVersion: photondb.io/v1alpha1
kind: PhotonCluster
metadata: {name: orders, namespace: ${namespace}}
spec:
  version: 0.1.0
  pools:
    - {name: main, roles: [data, coordinator, consensus], storage: {size: 1Gi}}
`;

/** What has to be there when the operator has gone through all of its tasks once. */
const made = words`statefulset/orders-main-0 service/orders service/orders-nodes secret/orders-admin
  secret/orders-ca configmap/orders-ca
  serviceaccount/orders-node role/orders-node rolebinding/orders-node poddisruptionbudget/orders networkpolicy/orders
  photonpool/orders-main photonnode/orders-main-0-0`;

describe('the permissions of the operator', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let folder: string;

  /** The operator as a process of its own, under the account of a release, behind a proxy. */
  class Operator {
    readonly proxy: RecordingProxy;
    readonly #process: ChildProcess;
    #log = '';

    private constructor(proxy: RecordingProxy, child: ChildProcess) {
      this.proxy = proxy;
      this.#process = child;
      child.stdout?.on('data', (chunk: Buffer) => this.#keep(chunk));
      child.stderr?.on('data', (chunk: Buffer) => this.#keep(chunk));
    }

    static async start(namespace: string, flags: readonly string[]): Promise<Operator> {
      const admin = parse(readFileSync(plane.kubeconfig, 'utf8')) as Kubeconfig;
      const { server, 'certificate-authority': authority } = admin.clusters[0].cluster;
      const proxy = await startRecordingProxy(server, readFileSync(authority, 'utf8'));
      const token = await plane.mustKubectl(
        words`create token photondb-operator --namespace ${namespace}`,
      );
      const file = join(folder, `${namespace}.kubeconfig`);
      writeFileSync(file, kubeconfigOf(proxy.url, token.trim(), namespace), { mode: 0o600 });
      const options = words`--kubeconfig ${file} --pod-namespace ${namespace} --pod-name test
        --http-bind 127.0.0.1 --http-port 0 ${flags}`;
      const child = spawn(process.execPath, ['operator/main.ts', ...options], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return new Operator(proxy, child);
    }

    /** The end of what it wrote. */
    get log(): string {
      return this.#log.slice(-4_000);
    }

    async stop(): Promise<number | null> {
      const running = this.#process.exitCode === null && this.#process.signalCode === null;
      const exit = running ? once(this.#process, 'exit') : undefined;
      this.#process.kill('SIGTERM');
      const code = exit === undefined ? this.#process.exitCode : ((await exit)[0] as number | null);
      await this.proxy.close();
      return code;
    }

    #keep(chunk: Buffer): void {
      this.#log = (this.#log + chunk.toString()).slice(-65_536);
    }
  }

  const expectMade = (namespace: string, operator: Operator): Promise<boolean | undefined> =>
    waitFor(
      async () =>
        (await plane.kubectl(words`get ${made} --namespace ${namespace} --output name`)).code === 0,
      {
        what: 'everything that belongs to a cluster',
        timeoutMs: deadlineMs,
        explain: () => [...operator.proxy.forbidden(), operator.log].join('\n'),
      },
    );

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'photondb-permissions-'));
    plane = await ControlPlane.start('rights');
    for (const namespace of ['photondb-system', 'db', 'team-a', 'team-b'])
      await plane.mustKubectl(words`create namespace ${namespace}`);
    await plane.mustHelm(words`install photondb-crds ${chartFolder('photondb-crds')}`);
    await plane.mustKubectl(
      words`wait --for=condition=Established --timeout=60s crd photonclusters.photondb.io`,
    );
    const operator = words`install photondb-operator ${chartFolder('photondb-operator')}`;
    await plane.mustHelm(words`${operator} --namespace photondb-system`);
    await plane.mustHelm(words`${operator} --namespace team-a --set watchNamespaces={team-a}`);
  });

  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await plane.stop();
  });

  it('are enough for a cluster in any namespace, and each of them is used', async () => {
    const operator = await Operator.start('photondb-system', []);
    try {
      await plane.mustKubectl(words`apply -f -`, cluster('db'));
      await expectMade('db', operator);
      await waitFor(() => operator.proxy.used().includes('patch coordination.k8s.io/leases'), {
        what: 'a renewal of the lease',
        timeoutMs: deadlineMs,
      });
      expect(operator.proxy.forbidden()).to.deep.equal([]);
      const rules = parseManifests(await render('photondb-operator', 'photondb-operator')).flatMap(
        (manifest) => manifest.rules ?? [],
      );
      const used = new Set(operator.proxy.used());
      const unused = granted(rules).filter((access) => !used.has(access) && !isSeldom(access));
      expect(unused).to.deep.equal([]);
    } finally {
      expect(await operator.stop()).to.equal(0);
    }
  });

  it('reach no further than the namespaces of the list', async () => {
    const operator = await Operator.start('team-a', ['--watch-namespaces', 'team-a']);
    try {
      await plane.mustKubectl(words`apply -f -`, cluster('team-b'));
      await plane.mustKubectl(words`apply -f -`, cluster('team-a'));
      await expectMade('team-a', operator);
      expect(operator.proxy.forbidden()).to.deep.equal([]);
      const foreign = await plane.mustKubectl(
        words`get statefulsets --namespace team-b --output name`,
      );
      expect(foreign).to.equal('');
    } finally {
      expect(await operator.stop()).to.equal(0);
    }
  });

  it('reach no further than the Secrets of the list', async () => {
    const upgrade = words`upgrade photondb-operator ${chartFolder('photondb-operator')}`;
    const names = words`--set rbac.secretNames={orders-admin,orders-ca}`;
    await plane.mustHelm(words`${upgrade} --namespace photondb-system ${names}`);
    const account = '--as=system:serviceaccount:photondb-system:photondb-operator';
    const may = async (name: string): Promise<string> => {
      const access = words`auth can-i ${account} get secret/${name} --namespace db`;
      return (await plane.kubectl(access)).stdout.trim();
    };
    expect(await may('orders-admin')).to.equal('yes');
    expect(await may('other')).to.equal('no');
    const operator = await Operator.start('photondb-system', []);
    try {
      await plane.mustKubectl(words`delete statefulset/orders-main-0 --namespace db`);
      await expectMade('db', operator);
      expect(operator.proxy.forbidden()).to.deep.equal([]);
    } finally {
      expect(await operator.stop()).to.equal(0);
    }
  });

  it('do not include what an operator has no business with', async () => {
    const account = '--as=system:serviceaccount:photondb-system:photondb-operator';
    const refused = [
      words`list secrets --all-namespaces`,
      words`update secrets --namespace db`,
      words`delete secrets --namespace db`,
      words`create subjectaccessreviews`,
      words`watch secrets --namespace db`,
      words`get pods --namespace db`,
      words`delete serviceaccounts --namespace db`,
      words`delete roles --namespace db`,
      words`create pods --subresource=exec --namespace db`,
      words`create clusterroles`,
      words`patch customresourcedefinitions`,
      words`delete persistentvolumeclaims --namespace db`,
      words`delete photonclusters --namespace db`,
      words`escalate roles --namespace db`,
      words`get nodes`,
    ];
    for (const access of refused) {
      const { stdout } = await plane.kubectl(words`auth can-i ${account} ${access}`);
      expect(stdout.trim(), access.join(' ')).to.equal('no');
    }
  });
});

const kubeconfigOf = (server: string, token: string, namespace: string): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'test', user: { token } }],
  });
