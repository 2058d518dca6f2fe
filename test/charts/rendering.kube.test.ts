import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { words } from '../../k8s/local/host/run.ts';
import {
  chartFolder,
  charts,
  ControlPlane,
  helm,
  kustomize,
  onePool,
  parseManifests,
  readManifests,
  render,
  root,
  valueSets,
  valuesFile,
} from './commands.ts';
import type { Chart, Manifest } from './commands.ts';

/**
 * What the charts and the plain manifests say, without a running pod: Helm accepts them, the real API
 * server validates them, and both ways of installing say the same.
 */
const base = join(root, 'k8s', 'base');
/** Set to rewrite k8s/base from the charts, after a change of them. */
const update = process.env['PHOTONDB_TEST_UPDATE'] === '1';

const namespaceOf = { 'photondb-crds': 'default', 'photondb-operator': 'photondb-system' };

/** The files of k8s/base that are made from a chart. */
const madeFromCharts: readonly [file: string, chart: keyof typeof namespaceOf][] = [
  ['crds.yaml', 'photondb-crds'],
  ['operator.yaml', 'photondb-operator'],
];

const everySet = charts.flatMap((chart) =>
  valueSets[chart].map((set): [Chart, string] => [chart, set]),
);

const kindsOf = (manifests: readonly Manifest[]): string[] =>
  manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();

describe('helm charts', () => {
  for (const [chart, set] of everySet) {
    it(`${chart} passes lint with the values ${set}`, async () => {
      const result = await helm(
        words`lint --strict ${chartFolder(chart)} --values ${valuesFile(set)}`,
      );
      expect(result.code, result.stdout + result.stderr).to.equal(0);
    });
  }

  it('carry the version of the package, and images of it', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (const chart of charts) {
      const text = readFileSync(join(chartFolder(chart), 'Chart.yaml'), 'utf8');
      expect(text).to.match(new RegExp(`^version: ${version}$`, 'm'));
      expect(text).to.match(new RegExp(`^appVersion: ${version}$`, 'm'));
    }
    const operator = await render('o', 'photondb-operator');
    expect(operator).to.contain(`image: "photondb:${version}"`);
  });
});

describe('values that a chart refuses', () => {
  const refusals: readonly [chart: Chart, value: string, complaint: RegExp][] = [
    ['photondb-operator', 'image.tagg=1', /at '\/image': additional properties 'tagg' not allowed/],
    ['photondb-operator', 'image.digest=abc', /at '\/image\/digest': 'abc' does not match pattern/],
    ['photondb-operator', 'replicas=0', /at '\/replicas': minimum: got 0, want 1/],
    ['photondb-operator', 'replicas=many', /at '\/replicas': got string, want integer/],
    ['photondb-operator', 'log.level=loud', /at '\/log\/level': value must be one of 'error'/],
    ['photondb-operator', 'runAsUser=0', /at '\/runAsUser': minimum: got 0, want 1/],
    ['photondb-operator', 'watchNamespaces={A_b}', /at '\/watchNamespaces\/0': 'A_b' does not/],
    [
      'photondb-operator',
      'serviceAccount.create=false',
      /serviceAccount.name is needed when serviceAccount.create is false/,
    ],
    ['photondb-cluster', 'pool=x', /additional properties 'pool' not allowed/],
    ['photondb-cluster', 'volumes.whenDeleted=Shred', /value must be one of 'Retain', 'Delete'/],
    ['photondb-cluster', 'version=latest', /at '\/version': 'latest' does not match pattern/],
    ['photondb-cluster', 'name=Quick_Start', /at '\/name': 'Quick_Start' does not match pattern/],
    ['photondb-crds', 'keep=false', /additional properties 'keep' not allowed/],
  ];
  for (const [chart, value, complaint] of refusals) {
    it(`${chart}: ${value}`, async () => {
      const result = await helm(words`template x ${chartFolder(chart)} --set ${value}`);
      expect(result.code).to.not.equal(0);
      expect(result.stderr).to.match(complaint);
    });
  }

  const poolRefusals: readonly [fields: Readonly<Record<string, unknown>>, complaint: RegExp][] = [
    [{ name: 'too-long-a-name' }, /'\/pools\/0\/name': 'too-long-a-name' does not match pattern/],
    [{ roles: ['cook'] }, /'\/pools\/0\/roles\/0': value must be one of 'data'/],
    [{ storage: { size: 'big' } }, /'\/pools\/0\/storage\/size': 'big' does not match pattern/],
    [
      { resources: { limits: { cpu: 'lots' } } },
      /'\/pools\/0\/resources\/limits\/cpu': 'lots' does not match pattern/,
    ],
    [{ resources: { limit: {} } }, /additional properties 'limit' not allowed/],
    [{ storage: {} }, /'\/pools\/0\/storage': missing property 'size'/],
    [{ replica: 1 }, /'\/pools\/0': additional properties 'replica' not allowed/],
  ];
  for (const [fields, complaint] of poolRefusals) {
    it(`photondb-cluster: a pool with ${JSON.stringify(fields)}`, async () => {
      const result = await helm(
        words`template x ${chartFolder('photondb-cluster')} ${onePool(fields)}`,
      );
      expect(result.code).to.not.equal(0);
      expect(result.stderr).to.match(complaint);
    });
  }

  it('photondb-cluster: a release whose name is too long for a cluster', async () => {
    const release = 'a-release-with-a-very-long-name';
    const result = await helm(words`template ${release} ${chartFolder('photondb-cluster')}`);
    expect(result.stderr).to.contain('has 31 characters, at most 24 are allowed');
  });
});

describe('k8s/base', () => {
  for (const [file, chart] of madeFromCharts) {
    it(`${file} is what ${chart} renders`, async () => {
      const rendered = await render(chart, chart, words`--namespace ${namespaceOf[chart]}`);
      if (update) writeFileSync(join(base, file), rendered);
      expect(readFileSync(join(base, file), 'utf8')).to.equal(rendered);
    });
  }

  it('is one kustomization with all of it', async () => {
    const built = parseManifests(await kustomize(base));
    const parts = ['namespace.yaml', 'crds.yaml', 'operator.yaml'].flatMap((file) =>
      readManifests(join(base, file)),
    );
    expect(kindsOf(built)).to.deep.equal(kindsOf(parts));
  });
});

describe('the real API server accepts', () => {
  let plane: ControlPlane;

  before(async function () {
    this.timeout(120_000);
    plane = await ControlPlane.start('render');
    const restricted = 'pod-security.kubernetes.io/enforce=restricted';
    for (const namespace of ['photondb-system', 'team-a', 'team-b', 'samples']) {
      await plane.mustKubectl(words`create namespace ${namespace}`);
      await plane.mustKubectl(words`label namespace ${namespace} ${restricted}`);
    }
    const types = await render('c', 'photondb-crds');
    await plane.mustKubectl(words`apply --server-side -f -`, types);
    await plane.mustKubectl(
      words`wait --for=condition=Established --timeout=60s crd photonclusters.photondb.io
        photonpools.photondb.io photonnodes.photondb.io`,
    );
  });

  after(() => plane.stop());

  for (const [chart, set] of everySet) {
    it(`${chart} with the values ${set}`, async () => {
      const values = words`--values ${valuesFile(set)} --namespace photondb-system`;
      const manifests = await render('photon', chart, values);
      const result = await plane.apply(manifests, words`--server-side --dry-run=server`);
      expect(result.code, result.stderr).to.equal(0);
      expect(result.stderr).to.not.match(/warning/i);
    });
  }

  it('k8s/base', async () => {
    const result = await plane.kubectl(
      words`apply --server-side --force-conflicts --dry-run=server -k ${base}`,
    );
    expect(result.code, result.stderr).to.equal(0);
  });

  for (const sample of globSync('k8s/samples/*.yaml', { cwd: root }).sort()) {
    it(sample, async () => {
      const text = readFileSync(join(root, sample), 'utf8');
      const result = await plane.apply(text, words`--dry-run=server --namespace samples`);
      expect(result.code, result.stderr).to.equal(0);
    });
  }

  for (const set of valueSets['photondb-operator']) {
    it(`the pod of the operator in a restricted namespace (${set})`, async () => {
      const manifests = parseManifests(
        await render('o', 'photondb-operator', words`--values ${valuesFile(set)}`),
      );
      const deployment = manifests.find(({ kind }) => kind === 'Deployment');
      const template = deployment?.spec?.['template'] as { readonly spec: object };
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'operator', namespace: 'team-a' },
        spec: { ...template.spec, serviceAccountName: 'default' },
      };
      const result = await plane.kubectl(words`create --dry-run=server -f -`, JSON.stringify(pod));
      expect(result.code, result.stderr).to.equal(0);
    });
  }

  it('but not a cluster whose values the schema of the chart cannot judge', async () => {
    const values = words`${onePool({ replicas: 4 })} --namespace samples`;
    const manifests = await render('q', 'photondb-cluster', values);
    const result = await plane.apply(manifests, words`--dry-run=server`);
    expect(result.code).to.not.equal(0);
    expect(result.stderr).to.contain('has 1, 3 or 5 nodes');
  });
});
