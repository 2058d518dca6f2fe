import { createPrivateKey, X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import {
  authorityHash,
  createAuthority,
  createRequest,
  issueAdminCertificate,
  issueCertificate,
  pemCharactersMax,
  verifyAdminCertificate,
  verifyCertificate,
} from './certificates.ts';
import type { AuthorityFiles } from './certificates.ts';
import { formatIdentity, parseIdentity } from './node-identity.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const identity = { clusterId, nodeId };
const now = Date.UTC(2030, 0, 1);
const day = 86_400_000;

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('certificates of nodes', () => {
  let authority: AuthorityFiles;
  before(async () => {
    authority = await createAuthority(clusterId, now, 3_650 * day);
  });

  const issue = async (lifetimeMs = 7 * day, at = now): Promise<string> => {
    const { request } = await createRequest();
    return issueCertificate(authority, request, { identity, now: at, lifetimeMs });
  };

  it('prove the identity that the authority was given', async () => {
    const verified = await verifyCertificate(await issue(), [authority.certificate], now);
    expect(verified.identity).to.deep.equal(identity);
    expect(verified.notAfter).to.equal(now + 7 * day);
  });

  it('are refused before and after their time, and never outlive the authority', async () => {
    const text = await issue();
    const verify = (at: number): Promise<unknown> =>
      verifyCertificate(text, [authority.certificate], at);
    expect(await codeOf(verify(now - day))).to.equal('security.certificate_refused');
    expect(await codeOf(verify(now + 8 * day))).to.equal('security.certificate_refused');
    const long = await verifyCertificate(await issue(9_999 * day), [authority.certificate], now);
    expect(long.notAfter).to.equal(now + 3_650 * day);
  });

  it('of another cluster, or self-signed, prove nothing', async () => {
    const other = await createAuthority(clusterId, now, 3_650 * day);
    const text = await issue();
    expect(await codeOf(verifyCertificate(text, [other.certificate], now))).to.equal(
      'security.certificate_refused',
    );
    expect(
      await codeOf(verifyCertificate(other.certificate, [authority.certificate], now)),
    ).to.equal('security.certificate_refused');
    expect(
      await codeOf(verifyCertificate(authority.certificate, [authority.certificate], now)),
    ).to.equal('security.certificate_refused');
  });

  it('of two authorities are both believed while one replaces the other', async () => {
    const next = await createAuthority(clusterId, now, 3_650 * day);
    const both = [authority.certificate, next.certificate];
    expect((await verifyCertificate(await issue(), both, now)).identity).to.deep.equal(identity);
  });

  it('are given for a request that is whole and signed by its own key only', async () => {
    const { request } = await createRequest();
    const options = { identity, now, lifetimeMs: day };
    const bytes = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      const text = `-----BEGIN CERTIFICATE REQUEST-----\n${flipped.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
      const outcome = await codeOf(issueCertificate(authority, text, options));
      expect(outcome, `byte ${at}`).to.equal('security.request_refused');
    }
    for (const text of ['', 'x', 'x'.repeat(pemCharactersMax + 1), authority.certificate]) {
      expect(await codeOf(issueCertificate(authority, text, options))).to.equal(
        'security.request_refused',
      );
    }
  });

  it('of administrators name no node, and those of nodes no administrator', async () => {
    const { request } = await createRequest();
    const admin = { clusterId, admin: 'local' };
    const options = { identity: admin, now, lifetimeMs: day };
    const text = await issueAdminCertificate(authority, request, options);
    const trusted = [authority.certificate];
    expect(await verifyAdminCertificate(text, trusted, now)).to.deep.equal(admin);
    for (const refused of [
      verifyCertificate(text, trusted, now),
      verifyAdminCertificate(await issue(), trusted, now),
      verifyAdminCertificate(text, trusted, now + 2 * day),
    ]) {
      expect(await codeOf(refused)).to.equal('security.certificate_refused');
    }
  });

  it('are pinned by the hash of the authority, which is that of its public key', () => {
    const { publicKey } = new X509Certificate(authority.certificate);
    expect(publicKey.asymmetricKeyType).to.equal('ec');
    expect(authorityHash(authority.certificate)).to.match(/^sha256:[0-9a-f]{64}$/);
  });

  it('are certificates that Node takes for mutual TLS 1.3', async () => {
    const time = Date.now();
    const live = await createAuthority(clusterId, time, day);
    const make = async (): Promise<{ key: string; cert: string }> => {
      const { privateKey, request } = await createRequest();
      const cert = await issueCertificate(live, request, { identity, now: time, lifetimeMs: day });
      return { key: privateKey, cert };
    };
    const server = createServer({
      ...(await make()),
      ca: live.certificate,
      requestCert: true,
      minVersion: 'TLSv1.3',
    });
    server.on('secureConnection', (socket) =>
      socket.end(socket.getPeerCertificate().subjectaltname ?? ''),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect({
      ...(await make()),
      host: '127.0.0.1',
      port,
      ca: live.certificate,
      checkServerIdentity: () => undefined,
    });
    const chunks: Buffer[] = [];
    for await (const chunk of client) chunks.push(chunk as Buffer);
    server.close();
    expect(Buffer.concat(chunks).toString()).to.equal(`URI:${formatIdentity(identity)}`);
    expect(createPrivateKey((await make()).key).asymmetricKeyType).to.equal('ec');
  });
});

describe('the identity in a certificate', () => {
  it('is one URI and nothing near it', () => {
    const uri = formatIdentity(identity);
    expect(parseIdentity(uri)).to.deep.equal(identity);
    for (const wrong of [
      `${uri}/`,
      ` ${uri}`,
      `${uri}\n`,
      uri.toUpperCase(),
      uri.replace('/node/', '/pod/'),
      uri.replace('photondb:', 'https:'),
      `photondb://${clusterId}/node/..`,
    ]) {
      expect(parseIdentity(wrong), wrong).to.equal(undefined);
    }
  });
});
