import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { installTypes, manifestOf, refusalOf } from '../cluster/testing/api-types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import type { TestNamespace } from '../kube/testing/control-plane.ts';
import { testNamespace } from '../kube/testing/control-plane.ts';
import type { PhotonCluster } from './generated/photon-cluster.ts';

/** What the API server itself says to manifests: before any of our programs has run. */
const dataReplicas =
  'a pool with the role data has 1, 3 or 5 nodes, so that a majority can go on without the others: use one of these numbers';
const fixedReplicas =
  'the number of nodes with data can grow, from 1 to 3 and to 5, and does not shrink in this version: keep the number of replicas or raise it';
const voting = ['data', 'consensus'];

const data = { name: 'main', roles: ['data'], storage: { size: '1Gi' } };
const query = { name: 'query', roles: ['coordinator'], replicas: 2, storage: { size: '1Gi' } };

const lifetime = (text: string): Change => ({
  spec: { security: { certificates: { lifetime: text } } },
});

interface Change {
  readonly pool?: object;
  readonly spec?: object;
}

describe('the API server', () => {
  let at: TestNamespace;
  let client: KubeClient;

  before(async () => {
    at = await testNamespace('rules');
    ({ client } = at);
    await installTypes(client, at.namespace);
  });

  after(() => at.remove());

  const create = (name: string, change: Change = {}): Promise<KubeObject> =>
    client.create(resources.photonClusters, manifestOf(name, at.namespace, change), {
      dryRun: true,
    });

  describe('accepts', () => {
    const accepted: readonly [about: string, name: string, change: Change][] = [
      ['the least that a cluster needs', 'a', {}],
      ['a name of 24 characters', 'x'.repeat(24), {}],
      ['a pool name of 12 characters', 'a', { pool: { name: 'abcdefghijk9' } }],
      ['one zone', 'a', { pool: { zones: ['eu-1a'] } }],
      ['three nodes with data', 'a', { pool: { roles: voting, replicas: 3 } }],
      [
        'five nodes with data in three zones',
        'a',
        { pool: { roles: voting, replicas: 5, zones: ['a', 'b', 'c'] } },
      ],
      [
        'three nodes with data, and three others that vote',
        'a',
        {
          spec: {
            pools: [
              { ...data, replicas: 3 },
              { ...query, roles: ['consensus'], replicas: 3 },
            ],
          },
        },
      ],
      ['a pool of two coordinators beside the data', 'a', { spec: { pools: [data, query] } }],
      [
        'coordinators in two zones',
        'a',
        { spec: { pools: [data, { ...query, zones: ['eu-1a', 'eu-1b'] }] } },
      ],
      ['the lifetime of certificates', 'a', lifetime('24h')],
      ['the shortest lifetime of certificates', 'a', lifetime('10m')],
      [
        'amounts as numbers and texts',
        'a',
        { pool: { resources: { limits: { cpu: 2, memory: '1Gi' } } } },
      ],
      [
        'amounts of every form',
        'a',
        {
          pool: {
            resources: {
              requests: { cpu: '0.5', memory: '1e9', 'ephemeral-storage': 0 },
              limits: { cpu: '1500m', memory: '1.5Gi', 'hugepages-2Mi': '4Mi', 'x.io/gpu': 1 },
            },
          },
        },
      ],
      [
        'labels and annotations of others',
        'a',
        {
          pool: {
            template: {
              metadata: {
                labels: { team: 'a', 'example.com/Team.Name': '' },
                annotations: { 'example.com/a': 'any text, however long\n' },
              },
            },
          },
        },
      ],
      ['a pre-release', 'a', { spec: { version: '1.2.3-rc.1' } }],
      [
        'a registry with a port',
        'a',
        { spec: { image: { repository: 'localhost:5000/team/photondb' } } },
      ],
      [
        'options of the nodes',
        'a',
        { spec: { config: { 'log-level': 'debug', 'memtable-mib': 128 } } },
      ],
      [
        'any field of a pod in the overlay',
        'a',
        { pool: { template: { spec: { hostAliases: [{ ip: '1.2.3.4' }] } } } },
      ],
    ];
    for (const [about, name, change] of accepted) {
      it(about, async () => {
        expect(await refusalOf(create(name, change))).to.equal('not refused');
      });
    }

    it('every sample, also as a complete object', async () => {
      const folder = join(import.meta.dirname, '..', '..', 'k8s', 'samples');
      const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
      expect(files).to.include('quickstart.yaml');
      for (const file of files) {
        for (const document of parseAllDocuments(readFileSync(join(folder, file), 'utf8'))) {
          const object = document.toJS() as KubeObject;
          const resource: Resource =
            object.kind === 'Secret' ? resources.secrets : resources.photonClusters;
          const metadata = { ...object.metadata, namespace: at.namespace };
          const request = client.apply(resource, { ...object, metadata }, { dryRun: true });
          expect(await refusalOf(request), file).to.equal('not refused');
        }
      }
    });

    it('and fills in what is left out', async () => {
      const { spec } = (await create('a')) as PhotonCluster;
      expect(spec.pools[0]?.replicas).to.equal(1);
      expect(spec.image).to.deep.equal({ repository: 'photondb', pullPolicy: 'IfNotPresent' });
      expect(spec.volumes).to.deep.equal({ whenDeleted: 'Retain', whenScaled: 'Retain' });
    });
  });

  describe('refuses', () => {
    const pool = { name: 'main', roles: ['data'], storage: { size: '1Gi' } };
    const refused: readonly [about: string, name: string, change: Change, words: string][] = [
      ['no replicas', 'a', { pool: { replicas: 0 } }, dataReplicas],
      ['two nodes with data', 'a', { pool: { roles: voting, replicas: 2 } }, dataReplicas],
      ['four nodes with data', 'a', { pool: { roles: voting, replicas: 4 } }, dataReplicas],
      ['seven nodes with data', 'a', { pool: { roles: voting, replicas: 7 } }, dataReplicas],
      ['a negative number of replicas', 'a', { pool: { replicas: -1 } }, dataReplicas],
      [
        'three nodes with data and none that votes',
        'a',
        { pool: { roles: ['data'], replicas: 3 } },
        'add the role consensus to the pool with the role data',
      ],
      [
        'a second pool with data',
        'a',
        { spec: { pools: [pool, { ...pool, name: 'other' }] } },
        'use one pool, with 1, 3 or 5 replicas',
      ],
      [
        'more nodes than a cluster may have',
        'a',
        {
          spec: {
            pools: [
              pool,
              ...['a', 'b', 'c', 'd'].map((name) => ({ ...query, name, replicas: 16 })),
            ],
          },
        },
        'a cluster has at most 64 nodes',
      ],
      [
        'more nodes than a pool may have',
        'a',
        { spec: { pools: [pool, { ...query, replicas: 17 }] } },
        'less than or equal to 16',
      ],
      [
        'a pool of coordinators without nodes',
        'a',
        { spec: { pools: [pool, { ...query, replicas: 0 }] } },
        'greater than or equal to 1',
      ],
      ['a lifetime that is no duration', 'a', lifetime('a week'), 'use hours or minutes'],
      ['a lifetime in days', 'a', lifetime('7d'), 'use hours or minutes'],
      ['a lifetime of no time', 'a', lifetime('0h'), 'use hours or minutes'],
      ['a lifetime that is too short', 'a', lifetime('9m'), 'from 10m to 8760h'],
      ['a lifetime that is too long', 'a', lifetime('8761h'), 'from 10m to 8760h'],
      ['a pool twice', 'a', { spec: { pools: [pool, pool] } }, 'Duplicate value: {"name":"main"}'],
      ['no pool', 'a', { spec: { pools: [] } }, 'at least 1 items'],
      [
        'a pool without data',
        'a',
        { pool: { roles: ['coordinator'] } },
        'no pool has the role data',
      ],
      [
        'an unknown role',
        'a',
        { pool: { roles: ['data', 'king'] } },
        'unknown role: use data, coordinator or consensus',
      ],
      ['a role twice', 'a', { pool: { roles: ['data', 'data'] } }, 'Duplicate value: "data"'],
      ['no roles', 'a', { pool: { roles: [] } }, 'at least 1 items'],
      [
        'two zones for one node',
        'a',
        { pool: { zones: ['a', 'b'] } },
        'name at most one zone for each node',
      ],
      ['a name of 25 characters', 'x'.repeat(25), {}, 'use at most 24 characters'],
      ['a name that begins with a digit', '1a', {}, 'start with a letter'],
      ['a name with a dot', 'a.b', {}, 'use only lower-case letters, digits and hyphens'],
      ['a name that collides', 'a-nodes', {}, 'choose another ending'],
      [
        'a pool name of 13 characters',
        'a',
        { pool: { name: 'x'.repeat(13) } },
        'at most 12 lower-case letters and digits',
      ],
      ['a pool name with a hyphen', 'a', { pool: { name: 'a-b' } }, 'no hyphen'],
      ['too little storage', 'a', { pool: { storage: { size: '1Mi' } } }, 'use 256Mi or more'],
      [
        'storage that is no amount',
        'a',
        { pool: { storage: { size: 'lots' } } },
        'spec.pools[0].storage.size',
      ],
      [
        'no storage',
        'a',
        { pool: { storage: undefined } },
        'spec.pools[0].storage: Required value',
      ],
      [
        'an amount of cpu that is none',
        'a',
        { pool: { resources: { requests: { cpu: 'lots' } } } },
        'spec.pools[0].resources.requests[cpu]: Invalid value: "lots": invalid quantity',
      ],
      [
        'an amount with a wrong suffix',
        'a',
        { pool: { resources: { limits: { memory: '4GB' } } } },
        'invalid quantity: use for example 500m or 2 for cpu',
      ],
      [
        'a fraction that is no text',
        'a',
        { pool: { resources: { requests: { cpu: 0.5 } } } },
        'must be of type integer,string',
      ],
      [
        'a negative amount',
        'a',
        { pool: { resources: { limits: { cpu: '-1' } } } },
        'invalid quantity',
      ],
      [
        'a resource that is misspelt',
        'a',
        { pool: { resources: { limits: { mem: '1Gi' } } } },
        'unknown resource: use cpu, memory',
      ],
      [
        'a request exceeds its limit',
        'a',
        { pool: { resources: { requests: { cpu: 2 }, limits: { cpu: '1500m' } } } },
        'a request exceeds its limit',
      ],
      [
        'half a byte of memory',
        'a',
        { pool: { resources: { limits: { memory: '512m' } } } },
        'thousandths of a byte',
      ],
      [
        'the name of a Secret that is none',
        'a',
        { spec: { security: { passwordSecret: 'My Secret' } } },
        'invalid Secret name',
      ],
      [
        'the name of a pull secret that is none',
        'a',
        { spec: { image: { pullSecrets: ['a', 'B_'] } } },
        'invalid Secret name',
      ],
      [
        'the name of a StorageClass that is none',
        'a',
        { pool: { storage: { size: '1Gi', className: 'Fast SSD' } } },
        'invalid StorageClass name',
      ],
      ['a zone that no machine can have', 'a', { pool: { zones: ['eu west'] } }, 'invalid zone'],
      [
        'a label whose value is none',
        'a',
        { pool: { template: { metadata: { labels: { team: 'a b' } } } } },
        'invalid label value',
      ],
      [
        'a label whose key is none',
        'a',
        { pool: { template: { metadata: { labels: { 'a/b/c': 'x' } } } } },
        'invalid key of a label',
      ],
      [
        'a label of the operator',
        'a',
        { pool: { template: { metadata: { labels: { 'photondb.io/pool': 'x' } } } } },
        'use another key',
      ],
      [
        'an annotation of the operator',
        'a',
        { pool: { template: { metadata: { annotations: { 'photondb.io/revision': 'x' } } } } },
        'use another key',
      ],
      ['a version without numbers', 'a', { spec: { version: 'latest' } }, 'use MAJOR.MINOR.PATCH'],
      [
        'an image with its tag',
        'a',
        { spec: { image: { repository: 'photondb:1' } } },
        'set the tag in image.tag',
      ],
      [
        'a digest of another form',
        'a',
        { spec: { image: { digest: 'sha256:12' } } },
        'sha256: and 64 hexadecimal digits',
      ],
      ['an unknown field', 'a', { spec: { sharding: true } }, 'unknown field "spec.sharding"'],
      [
        'an unknown field of a pool',
        'a',
        { pool: { replica: 1 } },
        'unknown field "spec.pools[0].replica"',
      ],
      [
        'an option that the operator sets',
        'a',
        { spec: { config: { 'data-dir': '/x' } } },
        'unknown field "spec.config.data-dir"',
      ],
      [
        'an option out of its bounds',
        'a',
        { spec: { config: { 'memtable-mib': 0 } } },
        'greater than or equal to 1',
      ],
      [
        'an unknown policy of volumes',
        'a',
        { spec: { volumes: { whenDeleted: 'Keep' } } },
        'supported values: "Retain", "Delete"',
      ],
    ];
    for (const [about, name, change, words] of refused) {
      it(`${about}, with a sentence`, async () => {
        expect(await refusalOf(create(name, change))).to.contain(words);
      });
    }
  });

  describe('refuses to change', () => {
    const name = 'changing';
    const zoned = { zones: ['a'], storage: { size: '2Gi', className: 'fast' } };

    // As a user would, by apply: a field that a later manifest leaves out is taken away.
    before(() =>
      client.apply(resources.photonClusters, manifestOf(name, at.namespace, { pool: zoned })),
    );

    const change = (changed: Change): Promise<string> =>
      refusalOf(
        client.apply(resources.photonClusters, manifestOf(name, at.namespace, changed), {
          dryRun: true,
        }),
      );

    const changes: readonly [about: string, change: Change, words: string][] = [
      [
        'storage to less',
        { pool: { ...zoned, storage: { size: '1Gi', className: 'fast' } } },
        'storage cannot shrink: use 2Gi or more',
      ],
      [
        'storage to less in another unit',
        { pool: { ...zoned, storage: { size: '2G', className: 'fast' } } },
        'use 2Gi or more',
      ],
      [
        'the class of storage',
        { pool: { ...zoned, storage: { size: '2Gi', className: 'slow' } } },
        'storage.className cannot change',
      ],
      [
        'storage to the default class',
        { pool: { ...zoned, storage: { size: '2Gi' } } },
        'storage.className cannot change',
      ],
      ['zones', { pool: { ...zoned, zones: ['b'] } }, 'the zones of a pool are immutable'],
      ['zones to none', { pool: { storage: zoned.storage } }, 'the zones of a pool are immutable'],
      [
        'the name of a pool',
        { pool: { ...zoned, name: 'other' } },
        'cannot be removed, renamed or replaced',
      ],
      [
        'the role data to another pool',
        {
          spec: {
            pools: [
              { ...query, name: 'main', ...zoned },
              { ...data, name: 'other' },
            ],
          },
        },
        'cannot be removed, renamed or replaced',
      ],
    ];
    for (const [about, changed, words] of changes) {
      it(`${about}, and says what to write instead`, async () => {
        expect(await change(changed)).to.contain(words);
      });
    }

    it('the number of nodes with data, but from three to five', async () => {
      const pool = (replicas: number): Change => ({ pool: { roles: voting, replicas } });
      const manifest = (replicas: number): KubeObject =>
        manifestOf('growing', at.namespace, pool(replicas));
      const put = (replicas: number): Promise<string> =>
        refusalOf(client.apply(resources.photonClusters, manifest(replicas)));
      expect(await put(3)).to.equal('not refused');
      expect(await put(1)).to.contain(fixedReplicas);
      for (const other of [2, 4]) {
        const words = await put(other);
        expect(words, `${other}`).to.contain(dataReplicas);
        expect(words.split('Invalid value').length, words).to.equal(2);
      }
      expect(await put(5)).to.equal('not refused');
      expect(await put(3)).to.contain(fixedReplicas);
      const single = (replicas: number): Promise<string> =>
        refusalOf(
          client.apply(
            resources.photonClusters,
            manifestOf('single', at.namespace, pool(replicas)),
          ),
        );
      expect(await single(1)).to.equal('not refused');
      expect(await single(3)).to.equal('not refused');
      expect(await single(1)).to.contain(fixedReplicas);
    });

    it('but lets pools without data come and go, and change their size', async () => {
      const pools = (...others: object[]): Change => ({
        spec: { pools: [{ ...data, ...zoned }, ...others] },
      });
      expect(await change(pools(query))).to.equal('not refused');
      const other = 'coming';
      const written = (changed: Change): Promise<KubeObject> =>
        client.apply(resources.photonClusters, manifestOf(other, at.namespace, changed));
      await written(pools(query));
      expect(await refusalOf(written(pools({ ...query, replicas: 5 })))).to.equal('not refused');
      expect(await refusalOf(written(pools({ ...query, replicas: 1 })))).to.equal('not refused');
      expect(await refusalOf(written(pools()))).to.equal('not refused');
    });

    it('but lets storage grow, and everything else', async () => {
      const grown = { ...zoned, storage: { size: '3000Mi', className: 'fast' } };
      expect(await change({ pool: grown, spec: { version: '0.2.0' } })).to.contain('not refused');
      const resources = { requests: { cpu: '1' } };
      expect(await change({ pool: { ...zoned, resources } })).to.equal('not refused');
    });
  });

  it('refuses to scale a pool to a number that it cannot have, by its scale subresource and by its spec', async () => {
    const metadata = { name: 'scaled-main', namespace: at.namespace };
    const spec = { clusterName: 'scaled', pool: 'main', roles: ['data'], replicas: 1 };
    const pool = { apiVersion: 'photondb.io/v1alpha1', kind: 'PhotonPool', metadata, spec };
    await client.create(resources.photonPools, pool);
    const scale = await client.getScale(resources.photonPools, metadata);
    expect(scale.spec?.replicas).to.equal(1);
    const scaled = client.putScale(resources.photonPools, { ...scale, spec: { replicas: 2 } });
    expect(await refusalOf(scaled)).to.contain(dataReplicas);
    const patched = client.mergePatch(resources.photonPools, metadata, { spec: { replicas: 0 } });
    expect(await refusalOf(patched)).to.contain('greater than or equal to 1');
    const moved = client.mergePatch(resources.photonPools, metadata, {
      spec: { clusterName: 'b' },
    });
    expect(await refusalOf(moved)).to.contain('clusterName is immutable');
  });
});
