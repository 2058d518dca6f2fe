import { expect } from 'chai';
import type { Pool } from './manifest.ts';
import { poolWith } from '../api/testing/clusters.ts';
import { overlayComplaints, withOverlay } from './overlay.ts';

type Template = NonNullable<Pool['template']>;

const withSpec = (spec: Record<string, unknown>): Pool => poolWith({ template: { spec } });
const withContainer = (container: Record<string, unknown>): Pool =>
  withSpec({ containers: [{ name: 'photondb', ...container }] });

describe('an overlay on the pod template', () => {
  const refusals: readonly [about: string, pool: Pool, words: string][] = [
    ['another image', withContainer({ image: 'x' }), 'use spec.image'],
    ['other arguments', withContainer({ args: [] }), 'use spec.config'],
    ['other resources', withContainer({ resources: {} }), 'use resources of the pool'],
    [
      'an environment of ours',
      withContainer({ env: [{ name: 'PHOTONDB_BIND' }] }),
      'PHOTONDB_BIND',
    ],
    [
      'a mount over the data',
      withContainer({ volumeMounts: [{ name: 'x', mountPath: '/var/lib/photondb/' }] }),
      'use another path',
    ],
    ['a volume of ours', withSpec({ volumes: [{ name: 'data' }] }), 'use another name'],
    ['another account', withSpec({ serviceAccountName: 'root' }), 'ServiceAccount'],
    ['another account by its old name', withSpec({ serviceAccount: 'root' }), 'ServiceAccount'],
    ['the mount of a token', withSpec({ automountServiceAccountToken: true }), 'token'],
    ['how long it runs', withSpec({ activeDeadlineSeconds: 1 }), 'until it is stopped'],
    [
      'all containers, by one without a name',
      withSpec({ containers: [{ image: 'x' }] }),
      'name each of them',
    ],
    ['all volumes, by one without a name', withSpec({ volumes: [{ emptyDir: {} }] }), 'name each'],
    [
      'its environment, by one without a name',
      withContainer({ env: [{ value: 'x' }] }),
      'name each',
    ],
    ['the security context away', withSpec({ securityContext: null }), 'leave the field out'],
    [
      'a field of it away',
      withSpec({ securityContext: { runAsNonRoot: null } }),
      'securityContext.runAsNonRoot is null',
    ],
    ['the containers away', withSpec({ containers: null }), 'leave the field out'],
    [
      'who sees the token',
      withSpec({
        containers: [{ name: 'x', volumeMounts: [{ name: 'identity', mountPath: '/x' }] }],
      }),
      'mount a Secret of your own',
    ],
    [
      'who sees the password',
      withSpec({
        initContainers: [{ name: 'x', volumeMounts: [{ name: 'admin', mountPath: '/x' }] }],
      }),
      'mount a Secret of your own',
    ],
    ['a place by name', withSpec({ nodeName: 'n' }), 'nodeSelector'],
    [
      'labels that select',
      poolWith({ template: { metadata: { labels: { 'photondb.io/cluster': 'b' } } } }),
      'use another key',
    ],
    [
      'the revision',
      poolWith({ template: { metadata: { annotations: { 'photondb.io/revision': 'b' } } } }),
      'use another key',
    ],
  ];
  for (const [about, pool, words] of refusals) {
    it(`may not change ${about}, and says what to write instead`, () => {
      const [complaint = '', ...others] = overlayComplaints(pool);
      expect(complaint).to.contain('pools[main].template').and.to.contain(words);
      expect(others).to.deep.equal([]);
    });
  }

  it('may add what the operator does not need, also to the container of the database', () => {
    const template: Template = {
      metadata: { labels: { team: 'storage' }, annotations: { 'prometheus.io/scrape': 'false' } },
      spec: {
        priorityClassName: 'high',
        tolerations: [{ operator: 'Exists' }],
        volumes: [{ name: 'certificates' }],
        containers: [
          { name: 'photondb', env: [{ name: 'TZ', value: 'UTC' }] },
          { name: 'sidecar', image: 'x', args: ['y'] },
        ],
      },
    };
    expect(overlayComplaints(poolWith({ template }))).to.deep.equal([]);
  });

  const base = {
    metadata: { labels: { a: '1' } },
    spec: {
      tolerations: [{ key: 'a' }],
      containers: [{ name: 'photondb', env: [{ name: 'A' }], args: ['x'], ports: [{ port: 1 }] }],
      nodeSelector: { zone: 'z' },
    },
  };
  const merges: readonly [about: string, template: Template, path: string, wanted: unknown][] = [
    [
      'merges objects',
      { spec: { nodeSelector: { disk: 'd' } } },
      'spec.nodeSelector',
      { zone: 'z', disk: 'd' },
    ],
    ['lets the overlay win', { metadata: { labels: { a: '2' } } }, 'metadata.labels', { a: '2' }],
    [
      'merges lists of named things by name',
      { spec: { containers: [{ name: 'photondb', env: [{ name: 'B' }] }] } },
      'spec.containers[0].env',
      [{ name: 'A' }, { name: 'B' }],
    ],
    [
      'keeps what the overlay does not name',
      { spec: { containers: [{ name: 'sidecar' }] } },
      'spec.containers[0].args',
      ['x'],
    ],
    [
      'appends tolerations',
      { spec: { tolerations: [{ key: 'b' }] } },
      'spec.tolerations',
      [{ key: 'a' }, { key: 'b' }],
    ],
    [
      'replaces lists without names',
      { spec: { containers: [{ name: 'photondb', ports: [{ port: 2 }] }] } },
      'spec.containers[0].ports',
      [{ port: 2 }],
    ],
  ];
  for (const [about, template, path, wanted] of merges) {
    it(about, () => {
      const merged = withOverlay(base, poolWith({ template }));
      expect(merged).to.have.deep.nested.property(path, wanted);
    });
  }

  it('leaves the template that it was given as it is', () => {
    const before = JSON.stringify(base);
    withOverlay(base, withSpec({ nodeSelector: { zone: 'other' } }));
    expect(JSON.stringify(base)).to.equal(before);
  });

  it('takes a field of any name for a field', () => {
    const spec = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"a": 1}}') as Record<
      string,
      unknown
    >;
    withOverlay(base, withSpec(spec));
    expect({}).to.not.have.property('polluted');
  });
});
