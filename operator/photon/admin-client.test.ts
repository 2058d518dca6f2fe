import { once } from 'node:events';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { Authority, createAuthority } from '../authority/authority.ts';
import type { AuthorityPair } from '../authority/authority.ts';
import { formatAdmin, formatIdentity } from '../authority/node-identity.ts';
import { nodeCredentials, someIdentity } from '../authority/testing/requests.ts';
import { AdminApiError, askNode } from './admin-client.ts';
import type { AdminCredentials, AdminRequest } from './admin-client.ts';

const validity = { now: Date.now(), lifetimeMs: 3_600_000 };
const identity = formatIdentity(someIdentity);
const { clusterId } = someIdentity;
const drain: AdminRequest = { method: 'PUT', path: '/drain', body: { isDraining: true } };

interface Heard {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly client: string | undefined;
  readonly body: string;
}

describe('the client of the admin API', () => {
  let authority: Authority;
  let credentials: AdminCredentials;
  let server: Server;
  let answer: readonly [status: number, text: string];
  let heard: Heard[];

  /** A server as a node is one: mutual TLS, with the certificate of its identity. */
  async function startNode(by: Authority): Promise<Server> {
    const { privateKey, certificate } = await nodeCredentials(by, someIdentity, validity);
    const started = createServer(
      { key: privateKey, cert: certificate, ca: by.certificate, requestCert: true },
      (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const socket = request.socket as TLSSocket;
          heard.push({
            method: request.method,
            url: request.url,
            client: socket.getPeerCertificate().subjectaltname,
            body: Buffer.concat(chunks).toString(),
          });
          const [status, text] = answer;
          response.writeHead(status).end(text);
        });
      },
    );
    started.listen(0, '127.0.0.1');
    await once(started, 'listening');
    return started;
  }

  const portOf = (at: Server): number => (at.address() as AddressInfo).port;

  const ask = (change: { identity?: string; port?: number; signal?: AbortSignal } = {}) =>
    askNode(
      { host: '127.0.0.1', port: portOf(server), identity, ...change },
      credentials,
      drain,
      change.signal ?? new AbortController().signal,
    );

  async function refusal(asked: Promise<unknown>): Promise<AdminApiError> {
    try {
      await asked;
    } catch (error) {
      expect(error).to.be.instanceOf(AdminApiError);
      return error as AdminApiError;
    }
    throw new Error('it was answered');
  }

  before(async () => {
    authority = await Authority.open(await createAuthority(validity));
    const pair: AuthorityPair = await authority.issueForAdmin(
      { clusterId, name: 'operator' },
      validity,
    );
    credentials = { ...pair, authorities: authority.certificate };
  });
  beforeEach(async () => {
    heard = [];
    answer = [200, '{"isDraining":true}'];
    server = await startNode(authority);
  });
  afterEach(() => server.close());

  it('sends requests as an administrator of the cluster, and returns the answer', async () => {
    expect(await ask()).to.deep.equal({ isDraining: true });
    expect(heard).to.deep.equal([
      {
        method: 'PUT',
        url: '/admin/v1/drain',
        client: `URI:${formatAdmin({ clusterId, name: 'operator' })}`,
        body: '{"isDraining":true}',
      },
    ]);
  });

  it('sends nothing to a node of another identity, or of another authority', async () => {
    const other = formatIdentity({ ...someIdentity, nodeId: someIdentity.clusterId });
    expect((await refusal(ask({ identity: other }))).message).to.contain(`and not of ${other}`);
    const stranger = await startNode(await Authority.open(await createAuthority(validity)));
    expect((await refusal(ask({ port: portOf(stranger) }))).message).to.contain(
      'cannot be reached',
    );
    stranger.close();
    expect(heard).to.deep.equal([]);
  });

  it('reports a refusal with the code and the message of the node', async () => {
    answer = [409, '{"code":"admin.failed","message":"The node is stopping."}'];
    const { code, message } = await refusal(ask());
    expect([code, message]).to.deep.equal([
      'admin.failed',
      'the node refuses: The node is stopping.',
    ]);
  });

  it('reports an answer that is no JSON, or that does not end', async () => {
    answer = [502, '<html>'];
    expect((await refusal(ask())).message).to.contain('502');
    answer = [200, `"${'x'.repeat(2_000_000)}"`];
    expect((await refusal(ask())).message).to.contain('too long');
  });

  it('reports a node that is not there, and ends with its signal', async () => {
    expect((await refusal(ask({ port: 1 }))).message).to.contain('127.0.0.1:1');
    const stopped = AbortSignal.abort(new Error('the operator stops'));
    expect((await refusal(ask({ signal: stopped }))).message).to.contain('cannot be reached');
  });
});
