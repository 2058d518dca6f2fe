import { expect } from 'chai';
import { clusterWith, poolWith } from '../api/testing/clusters.ts';
import { nodeAccount, nodeRole, nodeRoleBinding } from './access.ts';
import { adminSecret, passwordSecretName } from './admin-secret.ts';
import { disruptionBudget } from './disruption-budget.ts';
import { clusterLabels, nodeSelector, roleLabelPatch, selectorText } from './labels.ts';
import { wantedNodes, zonesOf } from './layout.ts';
import { canonicalText } from './manifest.ts';
import { nodeName, poolObjectName, statefulSetName } from './names.ts';
import { networkPolicy, wantsNetworkPolicy } from './network-policy.ts';
import { photonNode, photonPool } from './photon-objects.ts';
import { isMore } from './quantity.ts';
import { clientService, nodesService } from './services.ts';

const owner = { kind: 'PhotonCluster', name: 'orders', uid: 'uid-of-orders', controller: true };

describe('the objects of a cluster', () => {
  const cluster = clusterWith();
  const all = [
    nodeAccount(cluster),
    nodeRole(cluster, ['orders-main-0-0']),
    nodeRoleBinding(cluster),
    clientService(cluster),
    nodesService(cluster),
    disruptionBudget(cluster),
    networkPolicy(cluster),
    photonPool(cluster, poolWith()),
    ...wantedNodes(cluster).map((node) => photonNode(cluster, node)),
  ];

  for (const object of all) {
    it(`${object.kind} ${object.metadata.name} is the cluster's own, by UID and label`, () => {
      expect(object.metadata.namespace).to.equal('shop');
      expect(object.metadata.ownerReferences?.[0]).to.include(owner);
      expect(object.metadata.labels).to.include(clusterLabels('orders'));
    });
  }

  it('grant each pod its own nodes by name, and nothing else', () => {
    const { rules } = nodeRole(cluster, ['b', 'a']);
    expect(rules).to.deep.equal([
      {
        apiGroups: ['photondb.io'],
        resources: ['photonnodes'],
        resourceNames: ['a', 'b'],
        verbs: ['get'],
      },
      {
        apiGroups: ['photondb.io'],
        resources: ['photonnodes/status'],
        resourceNames: ['a', 'b'],
        verbs: ['get', 'patch'],
      },
    ]);
    expect(nodeAccount(cluster).automountServiceAccountToken).to.equal(false);
    expect(nodeRoleBinding(cluster).subjects).to.deep.equal([
      { kind: 'ServiceAccount', name: 'orders-node', namespace: 'shop' },
    ]);
  });

  it('lead clients to ready nodes with data, and nodes to all of them', () => {
    const client = clientService(cluster).spec;
    const role = { 'photondb.io/role-data': 'true' };
    expect(client.selector).to.deep.equal({ ...nodeSelector('orders'), ...role });
    expect(client.ports?.map(({ port }) => port)).to.deep.equal([28_015, 8081]);
    expect(client).to.not.have.property('publishNotReadyAddresses');
    const nodes = nodesService(cluster).spec;
    expect(nodes).to.include({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect(nodes.selector).to.deep.equal(nodeSelector('orders'));
    const ports = nodes.ports?.map(({ port, protocol = 'TCP' }) => `${port} ${protocol}`);
    expect(ports).to.deep.equal(['29015 TCP', '29015 UDP', '8443 TCP', '28015 TCP']);
  });

  it('close the ports between nodes to everybody else, and no port that clients use', () => {
    const [open, between, ...others] = networkPolicy(cluster).spec.ingress;
    expect(others).to.deep.equal([]);
    expect(open).to.not.have.property('from');
    expect(open?.ports.map(({ port }) => port)).to.deep.equal(['driver', 'web', 'http']);
    const peers = [{ podSelector: { matchLabels: nodeSelector('orders') } }];
    expect(between?.from).to.deep.equal(peers);
    expect(between?.ports.map(({ port }) => port)).to.deep.equal(['cluster', 'gossip', 'admin']);
    expect(between?.ports.map(({ protocol }) => protocol)).to.deep.equal(['TCP', 'UDP', 'TCP']);
    expect(wantsNetworkPolicy(cluster)).to.equal(true);
    const [, , admin, ...more] = networkPolicy(cluster, 'photondb-system').spec.ingress;
    expect(more).to.deep.equal([]);
    expect(admin?.ports.map(({ port }) => port)).to.deep.equal(['admin']);
    const [source, ...sources] = admin?.from ?? [];
    expect(sources).to.deep.equal([]);
    expect(source?.namespaceSelector?.matchLabels).to.deep.equal({
      'kubernetes.io/metadata.name': 'photondb-system',
    });
    expect(source?.podSelector.matchLabels).to.include({
      'app.kubernetes.io/component': 'operator',
    });
    const security = { networkPolicy: false };
    expect(wantsNetworkPolicy(clusterWith({ security }))).to.equal(false);
  });

  it('let one node at a time be evicted, and none while its data would be lost', () => {
    expect(disruptionBudget(cluster).spec).to.include({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
    expect(disruptionBudget(cluster, { isDataAtRisk: true }).spec).to.include({
      maxUnavailable: 0,
      unhealthyPodEvictionPolicy: 'IfHealthyBudget',
    });
  });

  it('keep the password as the volumes are kept', () => {
    expect(adminSecret(cluster, 'p').metadata).to.not.have.property('ownerReferences');
    const volumes = { whenDeleted: 'Delete', whenScaled: 'Retain' } as const;
    const temporary = adminSecret(clusterWith({ volumes }), 'p').metadata.ownerReferences?.[0];
    expect(temporary).to.include(owner);
  });

  it('use the Secret that the manifest names', () => {
    expect(passwordSecretName(cluster)).to.equal('orders-admin');
    const named = clusterWith({ security: { networkPolicy: true, passwordSecret: 'mine' } });
    expect(passwordSecretName(named)).to.equal('mine');
  });
});

describe('the layout of a pool', () => {
  it('is one StatefulSet for a pool without zones', () => {
    const [zone, ...others] = zonesOf(clusterWith(), poolWith({ replicas: 3 }));
    expect(others).to.deep.equal([]);
    expect(zone).to.deep.equal({
      name: { cluster: 'orders', pool: 'main', zoneIndex: 0 },
      replicas: 3,
    });
  });

  it('deals the replicas out over the zones, the first ones taking what does not go round', () => {
    const pool = poolWith({ replicas: 5, zones: ['a', 'b', 'c'] });
    const zones = zonesOf(clusterWith(), pool);
    expect(zones.map(({ zone, replicas }) => `${zone} ${replicas}`)).to.deep.equal([
      'a 2',
      'b 2',
      'c 1',
    ]);
    expect(wantedNodes(clusterWith({ pools: [pool] })).map(({ name }) => name)).to.deep.equal([
      'orders-main-0-0',
      'orders-main-0-1',
      'orders-main-1-0',
      'orders-main-1-1',
      'orders-main-2-0',
    ]);
  });
});

describe('names', () => {
  it('of different zones and pools of different clusters never meet', () => {
    const parts = ['a', 'a-b', 'b', 'a-0'].flatMap((cluster) =>
      ['a', 'b', 'b0'].flatMap((pool) => [0, 1].map((zoneIndex) => ({ cluster, pool, zoneIndex }))),
    );
    const sets = parts.map((zone) => statefulSetName(zone));
    expect(new Set(sets).size).to.equal(sets.length);
    const pools = ['a', 'a-b'].flatMap((c) => ['c', 'd'].map((p) => poolObjectName(c, p)));
    expect(new Set(pools).size).to.equal(pools.length);
  });

  it('fit into a label, with what Kubernetes appends to them', () => {
    const zone = { cluster: 'x'.repeat(24), pool: 'y'.repeat(12), zoneIndex: 15 };
    expect(nodeName(zone, 9999).length + '-0123456789'.length).to.be.at.most(63);
  });
});

describe('role labels', () => {
  const cases: readonly [Record<string, string>, readonly string[], object | undefined][] = [
    [{}, ['data'], { 'photondb.io/role-data': 'true' }],
    [{ 'photondb.io/role-data': 'true', other: 'x' }, ['data'], undefined],
    [{ 'photondb.io/role-data': 'no' }, ['data'], { 'photondb.io/role-data': 'true' }],
    [
      { 'photondb.io/role-data': 'true' },
      ['coordinator'],
      { 'photondb.io/role-data': null, 'photondb.io/role-coordinator': 'true' },
    ],
  ];
  for (const [labels, roles, patch] of cases) {
    it(`${JSON.stringify(labels)} become ${roles.join()} by ${JSON.stringify(patch)}`, () => {
      expect(roleLabelPatch(labels, roles)).to.deep.equal(patch);
    });
  }

  it('and selectors are written as kubectl reads them', () => {
    expect(selectorText({ a: '1', b: '2' })).to.equal('a=1,b=2');
  });
});

describe('amounts of storage', () => {
  const cases: readonly [wanted: string, actual: string, is: boolean][] = [
    ['2Gi', '1Gi', true],
    ['1Gi', '1Gi', false],
    ['1Gi', '1024Mi', false],
    ['1Gi', '1G', true],
    ['1.5Gi', '1Gi', true],
    ['512Mi', '1Gi', false],
    ['lots', '1Gi', false],
  ];
  for (const [wanted, actual, is] of cases) {
    it(`${wanted} ${is ? 'is' : 'is not'} more than ${actual}`, () => {
      expect(isMore(wanted, actual)).to.equal(is);
    });
  }
});

describe('the canonical text of a value', () => {
  it('does not depend on the order of keys, nor on fields that are not there', () => {
    const text = canonicalText({ b: [1, { d: null, c: 'x' }], a: undefined });
    expect(text).to.equal(canonicalText({ b: [1, { c: 'x', d: null }] }));
    expect(text).to.equal('{"b":[1,{"c":"x","d":null}]}');
  });

  it('differs for other values and other orders of lists', () => {
    const texts = [[1, 2], [2, 1], ['1', 2], { 1: 2 }, [[1], 2]].map(canonicalText);
    expect(new Set(texts).size).to.equal(texts.length);
  });
});
