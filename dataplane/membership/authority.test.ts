import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createRequest, verifyCertificate } from '../security/certificates.ts';
import { Authority } from './authority.ts';
import type { AuthorityOptions } from './authority.ts';
import { MemoryFiles } from './testing/memory-files.ts';
import type { Role } from './peer-requests.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const [alice, bob] = ['aaaaaaaa', 'bbbbbbbb'].map((id) => `${id}-0000-4000-8000-000000000000`) as [
  string,
  string,
];
const start = Date.UTC(2030, 0, 1);
const day = 86_400_000;

describe('the authority of a cluster', () => {
  let files: MemoryFiles;
  let now: number;
  let authority: Authority;

  const options = (): AuthorityOptions => ({
    files,
    clock: { now: () => now, timeOfDay: () => start + now },
    chance: { bytes: randomBytes },
    certificateLifetimeMs: 7 * day,
  });

  beforeEach(async () => {
    files = new MemoryFiles();
    now = 0;
    authority = await Authority.create(options(), clusterId);
  });

  const admit = async (token: string, nodeId = alice, request?: string) =>
    authority.admit({
      token,
      nodeId,
      roles: ['coordinator'],
      request: request ?? (await createRequest()).request,
    });

  const renewed = async (said: readonly Role[], nodeId = alice) => {
    const { request } = await createRequest();
    const { certificate, authorities } = await authority.renew(nodeId, request, said);
    return (await verifyCertificate(certificate, authorities, start)).roles;
  };

  it('certifies the roles that a node was admitted with, whatever it says later', async () => {
    await admit(authority.createToken());
    expect(await renewed(['data', 'consensus'])).to.deep.equal(['coordinator']);
    const { request } = await createRequest();
    const reopened = Authority.open(options(), clusterId) as Authority;
    const { certificate, authorities } = await reopened.renew(alice, request, ['data']);
    const { roles } = await verifyCertificate(certificate, authorities, start);
    expect(roles).to.deep.equal(['coordinator']);
  });

  it('certifies one other node ID for a node that begins again, and renews the former one no more', async () => {
    await admit(authority.createToken());
    const { request } = await createRequest();
    const wish = { successor: bob, request };
    const { certificate, authorities } = await authority.succeed(alice, wish, ['data']);
    const proven = await verifyCertificate(certificate, authorities, start);
    expect([proven.identity.nodeId, proven.roles]).to.deep.equal([bob, ['coordinator']]);
    const reopened = Authority.open(options(), clusterId) as Authority;
    await reopened.succeed(alice, wish, ['data']);
    const third = alice.replace('aaaaaaaa', 'cccccccc');
    const refusalOf = (promise: Promise<unknown>) =>
      promise.then(
        () => 'none',
        (error: Error) => error.message,
      );
    expect(await refusalOf(reopened.succeed(alice, { successor: third, request }, []))).to.contain(
      `its node is ${bob} now`,
    );
    expect(
      await refusalOf(
        (async () => {
          await reopened.renew(alice, request, []);
        })(),
      ),
    ).to.contain(`The node ID ${alice} was given up`);
  });

  it('gives a node that begins again no place of another one', async () => {
    await admit(authority.createToken());
    await admit(authority.createToken(), bob);
    const { request } = await createRequest();
    const refusal = await authority.succeed(alice, { successor: bob, request }, []).then(
      () => 'none',
      (error: Error) => error.message,
    );
    expect(refusal).to.equal(`The node ID ${bob} belongs to another node.`);
  });

  it('records once the roles of a node that was admitted before certificates named roles', async () => {
    const stored = JSON.parse(files.read('authority.json') ?? '') as Record<string, unknown>;
    const { roles: _, ...former } = stored;
    files.write('authority.json', JSON.stringify(former));
    authority = Authority.open(options(), clusterId) as Authority;
    expect(await renewed(['data', 'consensus'])).to.deep.equal(['data', 'consensus']);
    expect(await renewed(['observer'])).to.deep.equal(['data', 'consensus']);
  });

  it('certifies other roles for another token, with the same key', async () => {
    const { request } = await createRequest();
    await admit(authority.createToken(), alice, request);
    const token = authority.createToken();
    await authority.admit({ token, nodeId: alice, roles: ['data'], request });
    expect(await renewed(['coordinator'])).to.deep.equal(['data']);
  });

  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('admits one node for each token, with a certificate of seven days', async () => {
    const token = authority.createToken();
    const { certificate, authorities } = await admit(token);
    const verified = await verifyCertificate(certificate, authorities, start);
    expect(verified.identity).to.deep.equal({ clusterId, nodeId: alice });
    expect(verified.notAfter).to.equal(start + 7 * day);
    expect(await codeOf(admit(token, bob))).to.equal('security.token_refused');
  });

  it('refuses tokens that are wrong, expired, or made before it was opened again', async () => {
    expect(await codeOf(admit('abcdef.0123456789abcdef'))).to.equal('security.token_refused');
    const token = authority.createToken();
    now += 10 * 60_000;
    expect(await codeOf(admit(token))).to.equal('security.token_refused');
    const lost = authority.createToken();
    authority = Authority.open(options(), clusterId) as Authority;
    expect(await codeOf(admit(lost))).to.equal('security.token_refused');
    expect(authority.hash).to.match(/^sha256:/);
  });

  it('does not certify the ID of a member for another key, with any token', async () => {
    const own = await createRequest();
    await admit(authority.createToken(), alice, own.request);
    authority = Authority.open(options(), clusterId) as Authority;
    expect(await codeOf(admit(authority.createToken(), alice))).to.equal('membership.join_refused');
    // The same key: the certificate of the node had expired.
    await admit(authority.createToken(), alice, own.request);
  });

  it('renews for another key, and takes the former one as well', async () => {
    const [first, second] = [await createRequest(), await createRequest()];
    await admit(authority.createToken(), alice, first.request);
    await authority.renew(alice, second.request, ['coordinator']);
    await admit(authority.createToken(), alice, first.request);
    await admit(authority.createToken(), alice, second.request);
    expect(await codeOf(admit(authority.createToken(), alice))).to.equal('membership.join_refused');
  });

  it('uses a token up also for a request that it does not sign', async () => {
    const token = authority.createToken();
    expect(await codeOf(admit(token, alice, 'nothing'))).to.equal('security.request_refused');
    expect(await codeOf(admit(token))).to.equal('security.token_refused');
  });

  it('is not opened for another cluster, nor from a damaged file', () => {
    expect(Authority.open(options(), alice)).to.equal(undefined);
    files.write('authority.json', '{"format":1}');
    expect(() => Authority.open(options(), clusterId)).to.throw(/is damaged/);
    files.write('authority.json', '');
    expect(() => Authority.open(options(), clusterId)).to.throw(/Restore it from a backup/);
  });
});
