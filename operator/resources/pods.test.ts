import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createHash } from 'node:crypto';
import { options } from '../../dataplane/config/options.ts';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { clusterWith, poolWith } from '../api/testing/clusters.ts';
import type { Pool } from './manifest.ts';
import { zonesOf } from './layout.ts';
import { configMap } from './node-config.ts';
import type { PodFacts, PodTemplate } from './pod-template.ts';
import { podTemplate } from './pod-template.ts';
import { statefulSet } from './stateful-set.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

const facts: PodFacts = {
  configMapName: 'orders-config-1',
  passwordSecret: 'orders-admin',
};

function templateOf(
  pool: Pool = poolWith(),
  change: Partial<PhotonCluster['spec']> = {},
  given = facts,
): PodTemplate {
  const cluster = clusterWith({ pools: [pool], ...change });
  const [zone] = zonesOf(cluster, pool);
  if (zone === undefined) throw new Error('a pool has a zone');
  return podTemplate({ cluster, pool, zone }, given, hash);
}

describe('the pods of a pool', () => {
  const { template, revision } = templateOf();
  const [container] = template.spec.containers;

  it('satisfy the restricted pod security standard', () => {
    expect(template.spec.securityContext).to.deep.include({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      fsGroupChangePolicy: 'OnRootMismatch',
    });
    expect(container?.securityContext).to.deep.equal({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('keep the last output of a process that fails, for the status', () => {
    expect(container?.terminationMessagePolicy).to.equal('FallbackToLogsOnError');
  });

  it('mount no token but their own, bound and short-lived', () => {
    expect(template.spec.automountServiceAccountToken).to.equal(false);
    const identity = template.spec.volumes?.find(({ name }) => name === 'identity');
    const sources = identity?.projected?.sources ?? [];
    expect(sources[0]?.serviceAccountToken).to.deep.equal({
      path: 'token',
      expirationSeconds: 3600,
    });
    expect(sources[1]?.serviceAccountToken).to.deep.equal({
      path: 'certificate-token',
      audience: 'photondb.io/certificates',
      expirationSeconds: 3600,
    });
    expect(sources[2]?.configMap).to.include({ name: 'orders-ca', optional: true });
    expect(sources[3]?.configMap?.name).to.equal('kube-root-ca.crt');
    expect(sources[4]?.downwardAPI?.items?.[0]?.path).to.equal('namespace');
  });

  it('write to volumes alone: the data, and a temporary directory', () => {
    const writable = container?.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
    expect(writable?.map(({ mountPath }) => mountPath)).to.deep.equal([
      '/var/lib/photondb',
      '/tmp',
    ]);
  });

  it('run the data plane with the file of the ConfigMap, and know their name and revision', () => {
    expect(container?.args).to.deep.equal([
      'dataplane/node/main.ts',
      '--config',
      '/etc/photondb/config.yaml',
    ]);
    expect(container?.env?.map(({ name }) => name)).to.deep.equal([
      'PHOTONDB_NODE_NAME',
      'PHOTONDB_REVISION',
    ]);
    expect(template.metadata.annotations['photondb.io/revision']).to.equal(revision);
  });

  it('are asked whether they have started once they listen, and may wait with their answer', () => {
    const { initialDelaySeconds = 0, timeoutSeconds = 1 } = container?.startupProbe ?? {};
    expect(initialDelaySeconds).to.be.at.least(1);
    // The node holds its answer for 8 s at most.
    expect(timeoutSeconds).to.be.above(8);
  });

  it('are found by Prometheus, and carry no role: roles change without a new pod', () => {
    expect(template.metadata.annotations).to.include({
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': '8080',
      'prometheus.io/path': '/_metrics',
    });
    const keys = Object.keys(template.metadata.labels);
    expect(keys.filter((key) => key.startsWith('photondb.io/role-'))).to.deep.equal([]);
  });

  const images: readonly [change: Partial<PhotonCluster['spec']['image']>, image: string][] = [
    [{}, 'photondb:0.1.0'],
    [{ tag: 'abc' }, 'photondb:abc'],
    [{ tag: 'abc', digest: 'sha256:00' }, 'photondb@sha256:00'],
  ];
  for (const [change, image] of images) {
    it(`run ${image} for ${JSON.stringify(change)}`, () => {
      const spec = { repository: 'photondb', pullPolicy: 'IfNotPresent' as const, ...change };
      expect(templateOf(poolWith(), { image: spec }).template.spec.containers[0]?.image).to.equal(
        image,
      );
    });
  }

  it('stay in the zone of their StatefulSet, or are spread when there is none', () => {
    expect(templateOf(poolWith({ zones: ['z'] })).template.spec.nodeSelector).to.deep.equal({
      'topology.kubernetes.io/zone': 'z',
    });
    const keys = template.spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey);
    expect(keys).to.deep.equal(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
  });
});

describe('the revision of the pods', () => {
  const { revision } = templateOf();

  it('is the same for the same manifest', () => {
    expect(templateOf().revision).to.equal(revision);
  });

  const changes: readonly [about: string, other: PodTemplate][] = [
    ['the version', templateOf(poolWith(), { version: '0.2.0' })],
    ['the configuration', templateOf(poolWith(), {}, { ...facts, configMapName: 'other' })],
    ['another Secret', templateOf(poolWith(), {}, { ...facts, passwordSecret: 'other' })],
    ['the resources', templateOf(poolWith({ resources: { limits: { memory: '1Gi' } } }))],
    ['the overlay', templateOf(poolWith({ template: { spec: { priorityClassName: 'x' } } }))],
  ];
  for (const [about, other] of changes) {
    it(`is another one after a change of ${about}`, () => {
      expect(other.revision).to.not.equal(revision);
    });
  }

  it('does not change with what needs no new pod: the size of volumes, roles', () => {
    expect(templateOf(poolWith({ storage: { size: '9Gi' } })).revision).to.equal(revision);
    expect(templateOf(poolWith({ roles: ['data'] })).revision).to.equal(revision);
  });
});

describe('the configuration of the nodes', () => {
  const own = [
    'log-level',
    'memtable-mib',
    'cache-mib',
    'query-memory-mib',
    'queries-memory-mib',
    'max-query-seconds',
    'compact-at-start-percent',
    'scrub-hours',
    'connections-max',
    'query-workers',
    'query-worker-mib',
  ];
  const map = configMap(clusterWith({ config: { 'log-level': 'debug' } }), hash);
  const file = parse(map.data['config.yaml'] ?? '') as Record<string, unknown>;

  it('is made of options that the data plane knows', () => {
    expect(Object.keys(options)).to.include.members(Object.keys(file));
  });

  it("has the user's options, and those that follow from the objects around the pod", () => {
    expect(file).to.include({ 'log-level': 'debug', 'data-dir': '/var/lib/photondb', bind: '::' });
    expect(file).to.include({ 'cluster-name': 'orders', 'driver-port': 28_015 });
  });

  it('replicates where several nodes have data, and only there', () => {
    const filed = (replicas: number): unknown => {
      const { data } = configMap(clusterWith({ pools: [poolWith({ replicas })] }), hash);
      return (parse(data['config.yaml'] ?? '') as Record<string, unknown>)['replicated'];
    };
    expect([filed(1), filed(3), filed(5)]).to.deep.equal([undefined, true, true]);
  });

  it('assigns every option of the data plane to the user, the file, or the pod', () => {
    // The operator says over the PhotonNode and a mounted file how the cluster forms. A pod listens beyond loopback, where any host may be asked for.
    const ofFormation = ['found', 'join', 'join-token', 'join-ca-hash', 'advertise', 'roles'];
    const ofPod = ['node-name', 'revision', 'web-hosts', 'replicated', ...ofFormation];
    expect([...Object.keys(file), ...own, ...ofPod]).to.include.members(Object.keys(options));
  });

  it('has the bounds of the data plane in the schema of PhotonCluster', () => {
    const crd = parse(
      readFileSync(join(import.meta.dirname, '..', '..', 'crds', 'photonclusters.yaml'), 'utf8'),
    ) as {
      spec: {
        versions: {
          schema: {
            openAPIV3Schema: {
              properties: {
                spec: {
                  properties: { config: { properties: Record<string, Record<string, unknown>> } };
                };
              };
            };
          };
        }[];
      };
    };
    const { properties } =
      crd.spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties.config ?? {};
    expect(Object.keys(properties ?? {})).to.have.members(own);
    for (const [name, schema] of Object.entries(properties ?? {})) {
      const option: Record<string, unknown> = { ...options[name as keyof typeof options] };
      const { minimum, maximum, values, type } = option;
      expect(schema['type'], name).to.equal(type);
      expect([schema['minimum'], schema['maximum']], name).to.deep.equal([minimum, maximum]);
      expect(schema['enum'], name).to.deep.equal(values);
    }
  });

  it('is immutable, and has another name for another content', () => {
    expect(map.immutable).to.equal(true);
    const other = configMap(clusterWith(), hash);
    expect(other.metadata.name).to.not.equal(map.metadata.name);
    expect(configMap(clusterWith(), hash).metadata.name).to.equal(other.metadata.name);
  });
});

describe('the StatefulSet of a zone', () => {
  const cluster = clusterWith();
  const pool = poolWith({ storage: { size: '5Gi', className: 'fast' } });
  const [zone] = zonesOf(cluster, pool);
  if (zone === undefined) throw new Error('a pool has a zone');
  const place = { cluster, pool, zone };

  it('leaves the replacing of pods to the roller, and what becomes of volumes to the manifest', () => {
    const { spec } = statefulSet(place, templateOf(pool));
    expect(spec.updateStrategy).to.deep.equal({ type: 'OnDelete' });
    expect(spec.persistentVolumeClaimRetentionPolicy).to.deep.equal({
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    });
  });

  it('selects by labels that its pods carry', () => {
    const { spec } = statefulSet(place, templateOf(pool));
    expect(spec.template.metadata?.labels).to.include(spec.selector.matchLabels);
  });

  it('asks for the size of the manifest, or for the one that it was made with', () => {
    const sizeOf = (size?: string): unknown =>
      statefulSet(place, templateOf(pool), size).spec.volumeClaimTemplates?.[0]?.spec?.resources;
    expect(sizeOf()).to.deep.equal({ requests: { storage: '5Gi' } });
    expect(sizeOf('1Gi')).to.deep.equal({ requests: { storage: '1Gi' } });
  });
});
