import { once } from 'node:events';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { awaitAssignment } from '../../dataplane/kubernetes/assignment.ts';
import type { CertificateUnavailableError } from '../../dataplane/kubernetes/errors.ts';
import { createAuthority } from '../../operator/authority/authority.ts';
import { Authority } from '../../operator/authority/authority.ts';
import type { PhotonCluster } from '../../operator/api/generated/photon-cluster.ts';
import type { PhotonNode } from '../../operator/api/generated/photon-node.ts';
import { eventually } from '../../operator/cluster/testing/api-types.ts';
import type { RunningSigner } from '../../operator/cluster/testing/signing-stage.ts';
import { startSigner } from '../../operator/cluster/testing/signing-stage.ts';
import { Stage } from '../../operator/cluster/testing/stage.ts';
import { resources } from '../../operator/kube/object.ts';
import { NodeInAPod } from './testing/node-in-a-pod.ts';

/** The operator and the nodes share no code: here they meet, over a real API server. */
const clusterId = '11111111-2222-4333-8444-555555555555';
const ids = [
  'aaaaaaaa-0000-4000-8000-000000000000',
  'bbbbbbbb-0000-4000-8000-000000000000',
  'cccccccc-0000-4000-8000-000000000000',
];
const data = { name: 'main', roles: ['data', 'consensus'], storage: { size: '1Gi' } };
const query = { name: 'query', roles: ['coordinator'], replicas: 2, storage: { size: '1Gi' } };
const pods = ['orders-main-0-0', 'orders-query-0-0', 'orders-query-0-1'];
const day = 86_400_000;

describe('certificates of nodes in Kubernetes', function () {
  this.timeout(60_000);
  let stage: Stage;
  let signer: RunningSigner;
  let nodes: NodeInAPod[] = [];

  beforeEach(async () => {
    stage = await Stage.open('certificates');
    signer = await startSigner(stage);
    await stage.apply('orders', { spec: { pools: [data, query] } });
  });
  afterEach(async () => {
    for (const node of nodes) node.stop();
    nodes = [];
    await signer.server.close();
    await stage.close();
  });

  async function nodeOf(at: number): Promise<NodeInAPod> {
    const [pod = '', nodeId = ''] = [pods[at], ids[at]];
    await stage.podIs(pod);
    await stage.kubelet.bringUp(pod);
    const node = new NodeInAPod(stage, { cluster: 'orders', pod, identity: { clusterId, nodeId } });
    nodes.push(node);
    await node.mount(signer.server.port);
    return node;
  }

  async function formed(): Promise<readonly [NodeInAPod, NodeInAPod, NodeInAPod]> {
    const founder = await nodeOf(0);
    await founder.obtain();
    const [first, second] = [await nodeOf(1), await nodeOf(2)];
    await first.obtain();
    await second.obtain();
    return [founder, first, second];
  }

  const statusOf = async (): Promise<PhotonCluster['status']> =>
    (await stage.clusterOf('orders'))?.status;
  const phaseIs = (phase: string): Promise<void> =>
    eventually(`the phase ${phase}`, async () => (await statusOf())?.certificates?.phase === phase);
  const hashes = async (): Promise<readonly string[]> =>
    (await statusOf())?.certificates?.authorities?.map(({ hash }) => hash) ?? [];
  const annotate = (annotations: object): Promise<unknown> =>
    stage.client.mergePatch(
      resources.photonClusters,
      { namespace: stage.namespace, name: 'orders' },
      { metadata: { annotations } },
    );

  /** The kubelet brings the new trust, and every node follows it once. */
  async function followAll(): Promise<void> {
    for (const node of nodes) {
      await node.mount(signer.server.port);
      await node.follow();
    }
  }

  async function allTrustAll(): Promise<void> {
    for (const one of nodes) {
      for (const other of nodes) expect(await one.provesTo(other)).to.deep.equal(one.identity);
    }
  }

  async function reasonOf(attempt: Promise<unknown>): Promise<string> {
    try {
      await attempt;
      return 'none';
    } catch (error) {
      return (error as CertificateUnavailableError).reason;
    }
  }

  it('are obtained by the founder and by the nodes that join it, and prove them to each other', async () => {
    const assigned = await eventuallyAssigned(pods[0] ?? '');
    expect(assigned).to.deep.equal({ type: 'found' });
    await formed();
    expect(await eventuallyAssigned(pods[1] ?? '')).to.deep.equal({ type: 'join', clusterId });
    await allTrustAll();
    await stage.conditionIs('orders', 'CertificatesExpiring', 'False');
    await stage.conditionSays('orders', 'CertificatesExpiring', '3 certificates are valid');
    expect((await statusOf())?.certificates?.earliestExpiry).to.not.equal(undefined);
  });

  async function eventuallyAssigned(name: string): Promise<object> {
    return awaitAssignment({
      read: async () => (await stage.find<PhotonNode>(resources.photonNodes, name)) ?? {},
      waiting: () => undefined,
      pause: () => new Promise((resolve) => void setTimeout(resolve, 20)),
      signal: AbortSignal.timeout(20_000),
    });
  }

  it('are asked for again and again while the operator is down, and come when it is back', async () => {
    const founder = await nodeOf(0);
    const { port } = signer.server;
    await signer.server.close();
    const obtained = founder.obtain();
    await eventually('a failed attempt', async () =>
      founder.waited.some((message) => message.includes('The operator cannot be reached')),
    );
    signer = await startSigner(stage);
    founder.write('certificate-endpoint', `https://127.0.0.1:${signer.server.port}`);
    expect(signer.server.port).to.not.equal(port);
    await obtained;
    expect(await founder.provesTo(founder)).to.deep.equal(founder.identity);
  });

  it('are not asked for at a server of another authority: the token stays here', async () => {
    const founder = await nodeOf(0);
    await founder.obtain();
    const thief = await Authority.open(await createAuthority({ now: Date.now(), lifetimeMs: day }));
    const name = `orders.${stage.namespace}.signing.photondb.io`;
    const { certificate, privateKey } = await thief.issueForServer(name, {
      now: Date.now(),
      lifetimeMs: day,
    });
    let received = '';
    const server = createServer({ cert: certificate, key: privateKey }, (socket) => {
      socket.on('data', (bytes) => (received += bytes.toString())).on('error', () => undefined);
    });
    server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    founder.write('certificate-endpoint', `https://127.0.0.1:${port}`);
    expect(await reasonOf(founder.ask())).to.equal('unreachable');

    // An authority in the ConfigMap alone counts for nothing: the PhotonNode does not name it.
    founder.write('cluster-ca.crt', thief.certificate);
    expect(await reasonOf(founder.ask())).to.equal('no_authority');
    founder.write('cluster-ca.crt', 'no certificate at all');
    expect(await reasonOf(founder.ask())).to.equal('no_authority');
    expect(received).to.equal('');
    server.close();
  });

  it('are refused to a node with the token of another pod, and the node says why', async () => {
    const [founder, first] = await formed();
    first.write('certificate-token', await founder.token('photondb.io/certificates'));
    expect(await reasonOf(first.ask())).to.equal('wrong_node');
    first.write('certificate-token', await first.token());
    expect(await reasonOf(first.ask())).to.equal('unauthenticated');
  });

  it('are replaced with those of another authority, and every node trusts every other throughout', async () => {
    await formed();
    const [former] = await hashes();
    await annotate({ 'photondb.io/rotate-authority': 'autumn' });
    await phaseIs('Distributing');
    await allTrustAll();
    expect(await hashes()).to.have.lengthOf(2);
    await stage.conditionIs('orders', 'Ready', 'True');
    const [one, ...others] = nodes;
    await one?.mount(signer.server.port);
    await one?.follow();
    await allTrustAll();
    await eventually('the nodes that are awaited', async () => {
      const { message = '' } = (await statusOf())?.certificates ?? {};
      return message.includes('not yet: orders-query-0-0, orders-query-0-1');
    });
    expect(others).to.have.lengthOf(2);
    await followAll();
    await phaseIs('Renewing');
    await allTrustAll();
    // The endpoint takes up the change of the Secret within seconds.
    await eventually(
      'certificates of the new authority',
      async () => {
        await followAll();
        await allTrustAll();
        return (await statusOf())?.certificates?.phase === 'Stable';
      },
      45_000,
    );
    const [signing, ...rest] = await hashes();
    expect(signing).to.not.equal(former);
    expect(rest).to.deep.equal([]);
    expect((await statusOf())?.certificates?.rotation).to.equal('autumn');
    await followAll();
    await allTrustAll();
    for (const { held } of nodes) expect(held.authorities).to.have.lengthOf(1);
  });

  describe('whose authority is lost', () => {
    const secret = { name: 'orders-ca' };

    it('last on, and the cluster says what follows, until the Secret is restored', async () => {
      await formed();
      const [hash] = await hashes();
      const at = { ...secret, namespace: stage.namespace };
      const kept = await stage.client.get(resources.secrets, at);
      await stage.client.remove(resources.secrets, at);
      await stage.reasonIs('orders', 'Stalled', 'AuthorityMissing');
      await stage.conditionSays('orders', 'Stalled', `photondb.io/replace-authority=${hash}`);
      await stage.anotherLook('orders');
      expect(await stage.find(resources.secrets, secret.name)).to.equal(undefined);
      expect(await hashes()).to.deep.equal([hash]);
      await followAll();
      await allTrustAll();
      const { resourceVersion: _, uid: __, ...metadata } = kept.metadata;
      await stage.client.create(resources.secrets, { ...kept, metadata });
      await stage.conditionIs('orders', 'Stalled', 'False');
      expect(await hashes()).to.deep.equal([hash]);
    });

    it('are replaced when a person says so, with both authorities trusted in between', async () => {
      await formed();
      const [hash] = await hashes();
      await stage.client.remove(resources.secrets, { ...secret, namespace: stage.namespace });
      await stage.reasonIs('orders', 'Stalled', 'AuthorityMissing');
      await annotate({ 'photondb.io/replace-authority': 'sha256:another' });
      await stage.anotherLook('orders');
      expect(await stage.find(resources.secrets, secret.name)).to.equal(undefined);
      await annotate({ 'photondb.io/replace-authority': hash });
      await phaseIs('Distributing');
      expect((await hashes())[0]).to.equal(hash);
      await allTrustAll();
      await followAll();
      await phaseIs('Renewing');
      await eventually(
        'certificates of the new authority',
        async () => {
          await followAll();
          await allTrustAll();
          return (await statusOf())?.certificates?.phase === 'Stable';
        },
        45_000,
      );
      expect(await hashes()).to.not.include(hash);
      await stage.conditionIs('orders', 'Stalled', 'False');
    });

    it('is reported when it is damaged, without the key', async () => {
      await formed();
      const at = { ...secret, namespace: stage.namespace };
      const patch = { data: { 'signing.key': Buffer.from('secret').toString('base64') } };
      await stage.client.mergePatch(resources.secrets, at, patch);
      await stage.reasonIs('orders', 'Stalled', 'AuthorityMissing');
      await stage.conditionSays('orders', 'Stalled', 'is damaged: the certificate or the key');
    });
  });

  it('come from no Secret that somebody else has made', async () => {
    const metadata = { name: 'billing-ca', namespace: stage.namespace };
    const foreign = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque' };
    await stage.client.create(resources.secrets, foreign);
    await stage.apply('billing');
    await stage.reasonIs('billing', 'Stalled', 'ForeignObject');
    await stage.conditionSays('billing', 'Stalled', 'Secret billing-ca exists');
    expect(await stage.find(resources.configMaps, 'billing-ca')).to.equal(undefined);
  });
});
