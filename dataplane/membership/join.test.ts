import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { PeerError, SessionRefusedError } from '../net/errors.ts';
import type { JoinExchange } from '../net/join-exchange.ts';
import { createRequest, verifyCertificate } from '../security/certificates.ts';
import { Authority } from './authority.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { admissionMessage, joinCluster, joinMessage } from './join.ts';
import type { JoinOptions } from './join.ts';
import { MemoryFiles } from './testing/memory-files.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const founder = 'aaaaaaaa-0000-4000-8000-000000000000';
const nodeId = 'bbbbbbbb-0000-4000-8000-000000000000';
const now = Date.UTC(2030, 0, 1);
const day = 86_400_000;
const clock = { now: () => 0, timeOfDay: () => now };

interface Cluster {
  readonly authority: Authority;
  /** What the founder shows. */
  readonly shown: readonly string[];
}

async function cluster(): Promise<Cluster> {
  const options = {
    files: new MemoryFiles(),
    clock,
    chance: { bytes: randomBytes },
    certificateLifetimeMs: day,
  };
  const authority = await Authority.create(options, clusterId);
  const { request } = await createRequest();
  const { certificate } = await authority.certify(founder, request, ['data']);
  return { authority, shown: [certificate, authority.certificate] };
}

describe('joining a cluster with a token', () => {
  let at: Cluster;
  let sent: JoinExchange[];
  let waited: string[];

  beforeEach(async () => {
    at = await cluster();
    sent = [];
    waited = [];
  });

  const exchange = async (asked: JoinExchange): Promise<Uint8Array> => {
    await asked.verify(at.shown);
    sent.push(asked);
    try {
      return admissionMessage.encode(await at.authority.admit(joinMessage.decode(asked.payload)));
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      throw new PeerError(code, message);
    }
  };

  const join = (changes: Partial<JoinOptions> = {}): Promise<StoredCredentials> =>
    joinCluster({
      addresses: ['10.0.0.1:29015'],
      token: at.authority.createToken(),
      authorityHash: at.authority.hash,
      nodeId,
      name: 'b',
      roles: ['coordinator'],
      privateKey: undefined,
      timeoutMs: 1_000,
      clock: { ...clock, sleep: () => Promise.resolve() },
      chance: { next: () => 0.5 },
      exchange,
      waiting: ({ message }) => waited.push(message),
      signal: new AbortController().signal,
      ...changes,
    });

  const failureOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };

  it('ends with a certificate for its own key', async () => {
    const joined = await join();
    const { identity } = await verifyCertificate(joined.certificate, joined.authorities, now);
    expect(identity).to.deep.equal({ clusterId, nodeId });
    expect(joined).to.include({ clusterId, nodeId });
    expect(joined.privateKey).to.match(/PRIVATE KEY/);
    expect(JSON.stringify(sent)).not.to.contain('PRIVATE KEY');
  });

  it('sends the token to no other cluster, and names both hashes', async () => {
    const other = await cluster();
    const message = await failureOf(join({ authorityHash: other.authority.hash }));
    expect(message).to.contain(at.authority.hash).and.contain(other.authority.hash);
    expect(message).to.contain('The token was not sent');
    expect(sent).to.deep.equal([]);
  });

  it('refuses a node that shows the pinned authority and no certificate of it', async () => {
    const other = await cluster();
    at = { ...at, shown: [other.shown[0] ?? '', at.authority.certificate] };
    expect(await failureOf(join())).to.contain('not signed by an authority');
    expect(sent).to.deep.equal([]);
  });

  it('gives the reason of the cluster, and does not ask again', async () => {
    const token = at.authority.createToken();
    await join({ token });
    expect(await failureOf(join({ token }))).to.match(
      /The node at 10\.0\.0\.1:29015 refused this node: The join token is wrong, used or expired/,
    );
    expect(sent.length).to.equal(2);
  });

  it('asks each address in turn until one can be reached', async () => {
    const asked: string[] = [];
    const joined = await join({
      addresses: ['a:1', 'b:2'],
      exchange: (each) => {
        asked.push(each.host);
        if (asked.length < 4) throw new SessionRefusedError('ECONNREFUSED');
        return exchange(each);
      },
    });
    expect(joined.clusterId).to.equal(clusterId);
    expect(asked).to.deep.equal(['a', 'b', 'a', 'b']);
    expect(waited).to.deep.equal(['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED']);
  });

  it('stops with the node, and refuses addresses that are none', async () => {
    const signal = AbortSignal.abort(new Error('the node is stopping'));
    expect(await failureOf(join({ signal }))).to.equal('the node is stopping');
    expect(await failureOf(join({ addresses: ['nowhere'] }))).to.contain('takes HOST:PORT');
  });

  it('keeps its key when it joins once more under its node ID', async () => {
    const first = await join();
    const again = await join({ privateKey: first.privateKey });
    expect(again.certificate).not.to.equal(first.certificate);
    expect(await failureOf(join())).to.contain('belongs to another node');
  });
});
