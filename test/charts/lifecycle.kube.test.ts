import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { words } from '../../k8s/local/host/run.ts';
import { waitFor } from '../../k8s/local/host/wait.ts';
import { chartFolder, ControlPlane, onePool, root } from './commands.ts';

/**
 * The charts over their life: install, upgrade from an older API, uninstall, install again. The one
 * invariant: nothing of this takes away a cluster, its Secret or its volumes.
 */
const crds = ['photonclusters', 'photonpools', 'photonnodes'].map((name) => `${name}.photondb.io`);
const older = join(import.meta.dirname, 'fixtures', 'older-photoncluster.yaml');

/** The chart of an earlier release: the same, but with the fewer fields that it had. */
function olderChart(folder: string): string {
  const chart = join(folder, 'photondb-crds');
  cpSync(chartFolder('photondb-crds'), chart, { recursive: true });
  rmSync(join(chart, 'templates'), { recursive: true });
  cpSync(older, join(chart, 'templates', 'photoncluster.yaml'));
  const file = join(chart, 'Chart.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*$/m, 'version: 0.0.9'));
  return chart;
}

describe('the life of the charts', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let folder: string;
  const uids = new Map<string, string>();

  const uidOf = async (args: readonly string[]): Promise<string> =>
    (await plane.get(words`${args} --namespace db`)).metadata.uid ?? '';

  /** What must outlive everything: the cluster and what hangs on it. */
  const kept: readonly (readonly string[])[] = [
    ['photoncluster', 'quickstart'],
    ['secret', 'quickstart-admin'],
    ['persistentvolumeclaim', 'data-quickstart-main-0-0'],
  ];

  const expectKept = async (): Promise<void> => {
    for (const args of kept) expect(await uidOf(args)).to.equal(uids.get(args.join('/')));
  };

  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), 'photondb-charts-'));
    plane = await ControlPlane.start('charts');
    for (const namespace of ['photondb-system', 'db'])
      await plane.mustKubectl(words`create namespace ${namespace}`);
  });

  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await plane.stop();
  });

  it('begins with an older release of the types, and a cluster of that time', async () => {
    await plane.mustHelm(words`install photondb-crds ${olderChart(folder)}`);
    await plane.mustKubectl(words`wait --for=condition=Established crd photonclusters.photondb.io`);
    const cluster = readFileSync(
      join(import.meta.dirname, 'fixtures', 'older-cluster.yaml'),
      'utf8',
    );
    await plane.mustKubectl(words`apply -f -`, cluster);
    await plane.mustKubectl(words`apply -f -`, companions);
    for (const args of kept) uids.set(args.join('/'), await uidOf(args));
    expect([...uids.values()].every((value) => value !== '')).to.equal(true);
  });

  it('upgrades the types in place: the cluster stays, and may use the new fields', async () => {
    const before = await plane.kubectl(words`explain photoncluster.spec.config`);
    expect(before.code).to.not.equal(0);
    await plane.mustHelm(words`upgrade photondb-crds ${chartFolder('photondb-crds')}`);
    await plane.mustKubectl(words`wait --for=condition=Established crd ${crds}`);
    await expectKept();
    await waitFor(
      async () => (await plane.kubectl(words`explain photoncluster.spec.config`)).code === 0,
      { what: 'the new fields in the API', timeoutMs: 20_000 },
    );
    const patch = '{"metadata": {"labels": {"touched": "after-the-upgrade"}}}';
    await plane.mustKubectl(
      words`patch photoncluster quickstart --namespace db --type merge --patch ${patch}`,
    );
  });

  it('guards the status of nodes as soon as the types are there', async () => {
    const policies = await plane.mustKubectl(words`get validatingadmissionpolicies -o name`);
    expect(policies).to.contain('photon');
    const bindings = await plane.mustKubectl(words`get validatingadmissionpolicybindings -o name`);
    expect(bindings).to.contain('photon');
  });

  it('installs the operator, and a second one that watches one namespace', async () => {
    const install = words`install photondb-operator ${chartFolder('photondb-operator')}`;
    await plane.mustHelm(words`${install} --namespace photondb-system`);
    await plane.mustHelm(words`${install} --namespace db --set watchNamespaces={db}`);
    const deployment = await plane.get(
      words`deployment photondb-operator --namespace photondb-system`,
    );
    expect(deployment.kind).to.equal('Deployment');
  });

  it('installs a cluster by its chart, and says how to connect', async () => {
    const notes = await plane.mustHelm(
      words`install orders ${chartFolder('photondb-cluster')} --namespace db`,
    );
    expect(notes).to.contain('port-forward service/orders 28015');
    expect(notes).to.contain('get secret orders-admin');
    expect(await uidOf(words`photoncluster orders`)).to.not.equal('');
  });

  it('changes a cluster by an upgrade of its release, and refuses what the API refuses', async () => {
    const chart = words`orders ${chartFolder('photondb-cluster')} --namespace db`;
    await plane.mustHelm(words`upgrade ${chart} --set labels.team=storage`);
    const { metadata } = await plane.get(words`photoncluster orders --namespace db`);
    expect(metadata.labels).to.include({ team: 'storage' });
    const result = await plane.helm(
      words`upgrade ${chart} ${onePool({ roles: ['data', 'consensus'], replicas: 1 })}`,
    );
    expect(result.code).to.not.equal(0);
    expect(result.stderr).to.contain('does not shrink in this version');
  });

  it('removes the operator and the types: clusters, Secrets and volumes stay', async () => {
    const uninstall = words`uninstall --wait --timeout 60s`;
    await plane.mustHelm(words`${uninstall} photondb-operator --namespace photondb-system`);
    await plane.mustHelm(words`${uninstall} photondb-operator --namespace db`);
    const said = await plane.mustHelm(words`${uninstall} photondb-crds`);
    expect(said).to.contain('kept due to the resource policy');
    for (const crd of crds)
      expect((await plane.get(words`crd ${crd}`)).kind).to.contain('Definition');
    await expectKept();
  });

  it('leaves nothing of the operator behind', async () => {
    for (const kind of ['clusterrole', 'clusterrolebinding', 'deployment', 'role', 'rolebinding']) {
      const names = await plane.mustKubectl(words`get ${kind} --all-namespaces -o name`);
      expect(names).to.not.contain('photondb-operator');
    }
  });

  it('takes the types up again, also when another way of installing made them', async () => {
    await plane.mustHelm(words`install photondb-crds ${chartFolder('photondb-crds')}`);
    await plane.mustHelm(words`uninstall photondb-crds`);
    const foreign = words`install types ${chartFolder('photondb-crds')} --namespace db`;
    expect((await plane.helm(foreign)).stderr).to.contain('invalid ownership metadata');
    await plane.mustHelm(words`${foreign} --take-ownership`);
    await expectKept();
  });

  it('removes a cluster with its release, unless asked to keep it', async () => {
    await plane.mustHelm(words`uninstall orders --namespace db --wait`);
    const gone = await plane.kubectl(words`get photoncluster orders --namespace db`);
    expect(gone.stderr).to.contain('not found');
    const chart = words`orders ${chartFolder('photondb-cluster')} --namespace db`;
    await plane.mustHelm(words`install ${chart} --set keepOnUninstall=true`);
    await plane.mustHelm(words`uninstall orders --namespace db --wait`);
    expect(await uidOf(words`photoncluster orders`)).to.not.equal('');
  });

  it('installs over k8s/base, and k8s/base over it', async () => {
    const base = join(root, 'k8s', 'base');
    await plane.mustKubectl(words`apply --server-side --force-conflicts -k ${base}`);
    await plane.mustHelm(
      words`install photondb-operator ${chartFolder('photondb-operator')} --take-ownership
        --force-conflicts --namespace photondb-system`,
    );
    await expectKept();
  });
});

/** Stand-ins for what stays with a cluster's name: its password and its volume. */
const companions = `
apiVersion: v1
kind: Secret
metadata: {name: quickstart-admin, namespace: db}
stringData: {password: not-guessed}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-quickstart-main-0-0, namespace: db}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
`;
