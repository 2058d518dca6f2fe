import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import type { AuthorityPair } from './authority.ts';
import {
  Authority,
  authorityFault,
  authorityHash,
  createAuthority,
  expiryOf,
} from './authority.ts';
import type { AuthoritySet } from './authority-set.ts';
import {
  certificatesIn,
  readAuthoritySet,
  secretContents,
  trustedCertificates,
  trustedHashes,
} from './authority-set.ts';
import { formatIdentity } from './node-identity.ts';
import { readSigningRequest } from './signing-request.ts';
import { requestWith, someIdentity } from './testing/requests.ts';

const now = Date.UTC(2030, 0, 1);
const day = 86_400_000;
const tenYears = { now, lifetimeMs: 3_650 * day };

describe('the authority of a cluster', () => {
  let pair: AuthorityPair;
  let authority: Authority;
  before(async () => {
    pair = await createAuthority(tenYears);
    authority = await Authority.open(pair);
  });

  const issue = async (lifetimeMs: number): Promise<X509Certificate> => {
    const { publicKey, identity } = await readSigningRequest(await requestWith());
    return new X509Certificate(
      await authority.issueForNode(
        publicKey,
        { identity, roles: ['data', 'consensus'] },
        { now, lifetimeMs },
      ),
    );
  };

  it('signs certificates of nodes that name one identity, and can sign nothing themselves', async () => {
    const certificate = await issue(7 * day);
    const issuer = new X509Certificate(pair.certificate);
    expect(certificate.verify(issuer.publicKey)).to.equal(true);
    expect(certificate.checkIssued(issuer)).to.equal(true);
    expect(certificate.ca).to.equal(false);
    expect(certificate.subject.split('\n')).to.include.members(['OU=data', 'OU=consensus']);
    expect(certificate.subjectAltName).to.equal(`URI:${formatIdentity(someIdentity)}`);
    expect(certificate.validToDate.getTime()).to.equal(now + 7 * day);
    expect(certificate.validFromDate.getTime()).to.be.lessThan(now);
  });

  it('signs nothing that outlives it', async () => {
    const certificate = await issue(10_000 * day);
    expect(certificate.validToDate.getTime()).to.equal(expiryOf(pair.certificate));
  });

  it('signs a certificate for a server, which no node takes for that of a node', async () => {
    const server = await authority.issueForServer('a.b.signing.photondb.io', {
      now,
      lifetimeMs: day,
    });
    const certificate = new X509Certificate(server.certificate);
    expect(certificate.checkHost('a.b.signing.photondb.io')).to.equal('a.b.signing.photondb.io');
    expect(certificate.checkHost('other.b.signing.photondb.io')).to.equal(undefined);
    expect(certificate.checkPrivateKey(createPrivateKey(server.privateKey))).to.equal(true);
    expect(certificate.subjectAltName).to.not.contain('URI:');
  });

  it('signs a certificate for an administrator, which proves no node and no server', async () => {
    const { clusterId } = someIdentity;
    const admin = await authority.issueForAdmin({ clusterId, name: 'operator' }, tenYears);
    const certificate = new X509Certificate(admin.certificate);
    expect(certificate.subjectAltName).to.equal(`URI:photondb://${clusterId}/admin/operator`);
    expect(certificate.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).to.equal(false);
    expect(certificate.checkPrivateKey(createPrivateKey(admin.privateKey))).to.equal(true);
  });

  it('is distinguished from every other by its hash and by its name', async () => {
    const other = await createAuthority(tenYears);
    expect(authorityHash(pair.certificate)).to.match(/^sha256:[0-9a-f]{64}$/);
    expect(authorityHash(other.certificate)).to.not.equal(authorityHash(pair.certificate));
    const subject = (text: string): string => new X509Certificate(text).subject;
    expect(subject(other.certificate)).to.not.equal(subject(pair.certificate));
  });

  it('is refused with a key of another, a certificate of a node, or what cannot be read', async () => {
    const other = await createAuthority(tenYears);
    expect(authorityFault(pair)).to.equal(undefined);
    const { certificate } = pair;
    expect(authorityFault({ ...other, certificate })).to.contain('does not belong');
    const { publicKey, identity } = await readSigningRequest(await requestWith());
    const node = await authority.issueForNode(
      publicKey,
      { identity, roles: [] },
      { now, lifetimeMs: day },
    );
    expect(authorityFault({ ...pair, certificate: node })).to.contain('not one of an authority');
    expect(authorityFault({ ...pair, privateKey: 'secret' })).to.equal(
      'the certificate or the key cannot be read',
    );
  });

  describe('in its Secret', () => {
    const stored = (set: AuthoritySet): ReturnType<typeof readAuthoritySet> => {
      const { annotations, data } = secretContents(set);
      const present = (values: object): Record<string, string> =>
        Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
      return readAuthoritySet({
        metadata: { annotations: present(annotations) },
        data: present(data),
      });
    };

    it('is read as it was written, in each state of a replacement', async () => {
      const next = await createAuthority(tenYears);
      const third = await createAuthority(tenYears);
      const states: readonly AuthoritySet[] = [
        { signing: pair, former: [] },
        { signing: pair, next, former: [], rotation: 'a' },
        { signing: next, former: [pair.certificate, third.certificate], rotation: 'a' },
        { signing: { certificate: pair.certificate }, next, former: [third.certificate] },
      ];
      for (const set of states) expect(stored(set)).to.deep.equal({ type: 'set', set });
      const [, , renewing] = states;
      if (renewing === undefined) throw new Error('no state');
      expect(trustedCertificates(renewing)).to.have.lengthOf(3);
      expect(certificatesIn(trustedCertificates(renewing).join(''))).to.deep.equal(
        trustedCertificates(renewing),
      );
      expect(trustedHashes(renewing)[0]).to.equal(authorityHash(next.certificate));
    });

    it('is damaged without a certificate, without any key, or with a wrong one', () => {
      const fault = (data: Readonly<Record<string, string>>): string => {
        const encoded = Object.entries(data).map(([key, text]) => [
          key,
          Buffer.from(text).toString('base64'),
        ]);
        const answer = readAuthoritySet({ metadata: {}, data: Object.fromEntries(encoded) });
        return answer.type === 'fault' ? answer.fault : 'none';
      };
      expect(fault({})).to.contain('no certificate under signing.crt');
      expect(fault({ 'signing.crt': pair.certificate })).to.contain('no private key');
      const wrong = { 'signing.crt': pair.certificate, 'signing.key': 'secret' };
      expect(fault(wrong)).to.contain('cannot be read').and.not.contain('secret');
    });
  });
});
