import { X509Certificate } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { createAuthority } from '../authority/authority.ts';
import type { NodeIdentity } from '../authority/node-identity.ts';
import { formatIdentity } from '../authority/node-identity.ts';
import type { SigningServer } from '../authority/signing-server.ts';
import { named, requestFor, requestWith } from '../authority/testing/requests.ts';
import type { Answer, Ask } from '../authority/testing/signing-client.ts';
import { ask, bodyOf } from '../authority/testing/signing-client.ts';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { certificateAudience, signingServerName } from '../resources/certificates.ts';
import { expired, tokenOfAccount } from './testing/accounts.ts';
import { eventually } from './testing/api-types.ts';
import type { RunningSigner } from './testing/signing-stage.ts';
import { startSigner } from './testing/signing-stage.ts';
import { Stage } from './testing/stage.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const otherId = 'bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const identity: NodeIdentity = { clusterId, nodeId };
const day = 86_400_000;

interface ConfigMap extends KubeObject {
  readonly data: Readonly<Record<string, string>>;
}

describe('the signing endpoint, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;
  let server: SigningServer;
  let cluster: PhotonCluster;
  let ca: string;
  let pod: string;
  let logged: RunningSigner['logged'];
  let outcomes: RunningSigner['outcomes'];

  const startServer = async (): Promise<void> => {
    ({ server, logged, outcomes } = await startSigner(stage));
  };

  before(async () => {
    stage = await Stage.open('signing');
    pod = await stage.settled('orders', {
      spec: { security: { certificates: { lifetime: '24h' } } },
    });
    await stage.kubelet.report(pod, { id: nodeId, clusterId });
    await eventually('the cluster to be founded', async () => {
      cluster = (await stage.clusterOf('orders')) as PhotonCluster;
      return cluster.status?.clusterId === clusterId;
    });
    const trust = await stage.find<ConfigMap>(resources.configMaps, 'orders-ca');
    ca = trust?.data['ca.crt'] ?? '';
    expect(trust?.data['server-name']).to.equal(signingServerName(cluster));
    expect(trust?.data['endpoint']).to.equal('https://signing.test:8443');
  });
  beforeEach(() => startServer());
  afterEach(() => server.close());
  after(() => stage.close());

  const tokenOf = (change: object = {}): Promise<string> =>
    tokenOfAccount(stage.client, {
      namespace: stage.namespace,
      account: 'orders-node',
      pod,
      audience: certificateAudience,
      ...change,
    });

  const send = async (change: Partial<Ask> = {}): Promise<Answer> =>
    ask({
      port: server.port,
      serverName: signingServerName(cluster),
      ca,
      token: change.token ?? (await tokenOf()),
      body: bodyOf(await requestFor(identity)),
      ...change,
    });

  const report = (status: object): Promise<void> => stage.kubelet.report(pod, status);

  /** A pod of the cluster's namespace, with the account of its nodes or another one. */
  async function makePod(name: string, account: string): Promise<void> {
    const metadata = { name, namespace: stage.namespace };
    const spec = { serviceAccountName: account, containers: [{ name: 'a', image: 'a' }] };
    await stage.client.create(resources.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec,
    } as KubeObject);
  }

  it('gives a node the certificate of its identity, which its authority has signed', async () => {
    const answer = await send();
    expect(answer.status, answer.message).to.equal(200);
    const certificate = new X509Certificate(answer.certificate ?? '');
    expect(certificate.verify(new X509Certificate(ca).publicKey)).to.equal(true);
    expect(certificate.subjectAltName).to.equal(`URI:${formatIdentity(identity)}`);
    const lifetime = certificate.validToDate.getTime() - Date.now();
    expect(lifetime).to.be.within(day - 60_000, day);
    expect(outcomes).to.include('issued');
    expect(logged.at(-1)).to.include({ message: 'issued a certificate', pod, nodeId, clusterId });
    expect(JSON.stringify(logged)).to.not.contain('PRIVATE KEY');
  });

  const refused: readonly (readonly [
    about: string,
    change: () => Promise<Partial<Ask>>,
    status: number,
    code: string,
    words: string,
  ])[] = [
    [
      'a token for the API server',
      async () => ({ token: await tokenOf({ audience: undefined }) }),
      401,
      'unauthenticated',
      'does not accept the token for the audience photondb.io/certificates',
    ],
    [
      'a token for another audience',
      async () => ({ token: await tokenOf({ audience: 'vault' }) }),
      401,
      'unauthenticated',
      'does not accept the token',
    ],
    [
      'a token that has expired',
      async () => ({ token: expired(await tokenOf()) }),
      401,
      'unauthenticated',
      'expired',
    ],
    [
      'a token that nobody made',
      async () => ({ token: 'a.b.c' }),
      401,
      'unauthenticated',
      'does not',
    ],
    ['no token', async () => ({ token: '' }), 401, 'unauthenticated', 'no usable bearer token'],
    [
      'a token that is bound to no pod',
      async () => ({ token: await tokenOf({ pod: undefined }) }),
      403,
      'forbidden',
      'bound to no pod',
    ],
    [
      'the identity of another cluster',
      async () => ({ body: bodyOf(await requestFor({ clusterId: otherId, nodeId })) }),
      403,
      'wrong_cluster',
      `the request is for cluster ${otherId}`,
    ],
    [
      'the identity of another node',
      async () => ({ body: bodyOf(await requestFor({ clusterId, nodeId: otherId })) }),
      403,
      'wrong_node',
      'is not the one of PhotonNode orders-main-0-0',
    ],
    [
      'more names than its own',
      async () => {
        const uri = formatIdentity(identity);
        const names = named(['url', uri], ['dns', 'orders.example.com']);
        return { body: bodyOf(await requestWith({ extensions: [names] })) };
      },
      422,
      'request_refused',
      'names something else',
    ],
    [
      'a weak key',
      async () => {
        const algorithm = {
          name: 'RSASSA-PKCS1-v1_5',
          modulusLength: 1024,
          publicExponent: Uint8Array.of(1, 0, 1),
          hash: 'SHA-256',
        };
        return { body: bodyOf(await requestWith({ algorithm })) };
      },
      422,
      'request_refused',
      'of another kind',
    ],
    [
      'what is no request',
      async () => ({ body: bodyOf('hello') }),
      422,
      'request_refused',
      'cannot',
    ],
    ['no JSON', async () => ({ body: 'hello' }), 400, 'malformed', 'not the JSON'],
    ['other JSON', async () => ({ body: '[]' }), 400, 'malformed', 'in the field request'],
    [
      'a large request',
      async () => ({ body: bodyOf('a'.repeat(9_000)) }),
      413,
      'too_large',
      '9000',
    ],
    [
      'a large body',
      async () => ({ body: bodyOf('a'.repeat(1 << 20)) }),
      413,
      'too_large',
      'bytes',
    ],
    ['another path', async () => ({ path: '/' }), 400, 'malformed', 'POST /v1/certificates'],
    ['another method', async () => ({ method: 'PUT' }), 400, 'malformed', 'POST /v1/certificates'],
  ];
  for (const [about, change, status, code, words] of refused) {
    it(`refuses ${about}, and says why on both sides`, async () => {
      const answer = await send(await change());
      expect(answer, answer.message).to.include({ status, code });
      expect(answer.message).to.contain(words);
      expect(logged.at(-1)).to.include({ code });
      expect(outcomes.at(-1)).to.equal(code);
    });
  }

  it('refuses the token of a pod that is gone', async () => {
    await makePod('gone', 'orders-node');
    const token = await tokenOf({ pod: 'gone' });
    await stage.client.remove(
      resources.pods,
      { namespace: stage.namespace, name: 'gone' },
      { gracePeriodSeconds: 0 },
    );
    await eventually('the token to be void', async () => {
      return (await send({ token })).code === 'unauthenticated';
    });
  });

  it('refuses a pod that is no node, though it has the account of the nodes', async () => {
    await makePod('orders-main-0-0-trial', 'orders-node');
    const answer = await send({ token: await tokenOf({ pod: 'orders-main-0-0-trial' }) });
    expect(answer).to.include({ status: 403, code: 'forbidden' });
    expect(answer.message).to.contain('is not a node of a PhotonCluster');
  });

  it('refuses the pod of the same name in another namespace, with a stolen ConfigMap', async () => {
    const thief = await Stage.open('thief');
    try {
      // The same cluster by name, which this operator does not know: the token tells them apart.
      await thief.settled('orders');
      await thief.kubelet.report(pod, { id: nodeId, clusterId });
      const token = await tokenOfAccount(thief.client, {
        namespace: thief.namespace,
        account: 'orders-node',
        pod,
        audience: certificateAudience,
      });
      const answer = await send({ token });
      expect(answer).to.include({ status: 403, code: 'forbidden' });
      expect(answer.message).to.contain(`in namespace ${thief.namespace}`);
    } finally {
      await thief.close();
    }
  });

  it('refuses a node before it has reported its identity, and after its data was lost', async () => {
    await report({ id: null });
    expect(await send()).to.include({ status: 409, code: 'node_unknown' });
    await report({ id: otherId });
    await eventually('the loss to be seen', async () => {
      return (await stage.said('orders', 'Stalled'))?.reason === 'DataMissing';
    });
    const request = bodyOf(await requestFor({ clusterId, nodeId: otherId }));
    expect(await send({ body: request })).to.include({ status: 403, code: 'wrong_node' });
    await report({ id: nodeId });
    await stage.conditionIs('orders', 'Ready', 'True');
  });

  it('answers a hundred at once, and lets one pod ask only so often', async () => {
    const token = await tokenOf();
    const startedAt = performance.now();
    const answers = await Promise.all(Array.from({ length: 100 }, () => send({ token })));
    // One more in each quarter of a minute: a busy machine takes long for a hundred.
    const quarters = Math.ceil((performance.now() - startedAt) / 15_000);
    const count = (status: number): number =>
      answers.filter((answer) => answer.status === status).length;
    expect(count(200)).to.be.within(10, 10 + quarters);
    expect(count(200) + count(429)).to.equal(100);
    const limited = answers.find(({ status }) => status === 429);
    expect(limited).to.include({ code: 'rate_limited' });
    expect(limited?.headers['retry-after']).to.equal('15');
  });

  it('is trusted by the authority of the cluster, and shows nothing to other names', async () => {
    const failure = async (change: Partial<Ask>): Promise<string> =>
      send(change).then(
        ({ status }) => `answered ${status}`,
        (error: unknown) => (error as Error).message,
      );
    const other = await createAuthority({ now: Date.now(), lifetimeMs: day });
    expect(await failure({ ca: other.certificate })).to.match(/certificate/);
    const unknown = signingServerName({
      ...cluster,
      metadata: { ...cluster.metadata, name: 'unknown' },
    });
    for (const serverName of [unknown, 'localhost', 'a.b.c.signing.photondb.io']) {
      expect(await failure({ serverName })).to.not.contain('answered');
    }
    expect((await send()).status).to.equal(200);
  });

  it('survives those who speak no TLS, or nothing', async () => {
    const sockets = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1'));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const [at, socket] of sockets.entries()) {
      socket.on('error', () => undefined);
      if (at % 2 === 0) socket.write('GET / HTTP/1.1\r\n\r\n');
    }
    expect((await send()).status).to.equal(200);
    for (const socket of sockets) socket.destroy();
  });

  it('says that the authority is gone', async () => {
    const at = { namespace: stage.namespace, name: 'orders-ca' };
    const secret = await stage.client.get(resources.secrets, at);
    await stage.client.remove(resources.secrets, at);
    await server.close();
    await startServer();
    const answer = await send().then(
      ({ code }) => code,
      () => 'no handshake',
    );
    // Nobody can prove to be the endpoint without it.
    expect(answer).to.equal('no handshake');
    expect(JSON.stringify(logged)).to.contain('Secret orders-ca with the certificate authority');
    const { resourceVersion: _, uid: __, ...metadata } = secret.metadata;
    await stage.client.create(resources.secrets, { ...secret, metadata });
  });
});
