import { expect } from 'chai';
import type { CertificateView } from '../api/node-view.ts';
import { nodeWith } from '../api/testing/clusters.ts';
import type { AuthorityFacts } from './certificates.ts';
import { certificatesStatus, certificatesVerdict } from './certificates.ts';

const day = 86_400_000;

const authority = (
  change: Partial<AuthorityFacts['authorities'][number]> = {},
): AuthorityFacts => ({
  phase: 'Stable',
  authorities: [
    { hash: 'A', use: 'Signing', notAfter: '2040-01-01T00:00:00Z', leftMs: 3_650 * day, ...change },
  ],
});

const holding = (change: Partial<CertificateView> = {}) => {
  const notAfter = '2030-01-08T00:00:00Z';
  const certificate = { authority: 'A', notAfter, lifetimeMs: 8 * day, leftMs: 6 * day, ...change };
  return nodeWith({ report: { certificate } });
};

describe('the condition of certificates', () => {
  it('is normal without certificates, and while all are new', () => {
    expect(certificatesVerdict(undefined, [nodeWith()])).to.include({ status: 'False' });
    const verdict = certificatesVerdict(authority(), [holding()]);
    expect(verdict).to.include({ status: 'False', reason: 'CertificatesValid' });
    expect(verdict.message).to.contain('the first expires at 2030-01-08T00:00:00Z');
  });

  const abnormal: readonly (readonly [
    about: string,
    change: Partial<CertificateView>,
    words: string,
  ])[] = [
    ['has a quarter of its lifetime left', { leftMs: 2 * day }, 'expires at'],
    ['is not renewed for a reason', { leftMs: day, message: 'no route' }, 'renewed: no route'],
    ['has expired', { leftMs: -1 }, 'has expired at'],
  ];
  for (const [about, change, words] of abnormal) {
    it(`reports one that ${about}`, () => {
      const verdict = certificatesVerdict(authority(), [holding(), holding(change)]);
      expect(verdict).to.include({ status: 'True', reason: 'CertificateExpiring' });
      expect(verdict.message).to.contain(words);
    });
  }

  it('reports an authority that expires, long before', () => {
    const verdict = certificatesVerdict(authority({ leftMs: 89 * day }), [holding()]);
    expect(verdict).to.include({ status: 'True', reason: 'AuthorityExpiring' });
    expect(verdict.message).to.contain('photondb.io/rotate-authority');
    const trusted = authority({ leftMs: 1, use: 'Trusted' });
    expect(certificatesVerdict(trusted, [holding()])).to.include({ status: 'False' });
  });
});

describe('the certificates in the status', () => {
  it('are those of the Secret, and stay when it cannot be read', () => {
    const facts = { ...authority(), phase: 'Renewing', message: 'x', rotation: '1' } as const;
    const status = certificatesStatus(facts, [holding()], undefined);
    expect(status).to.deep.equal({
      phase: 'Renewing',
      message: 'x',
      rotation: '1',
      authorities: [{ hash: 'A', use: 'Signing', notAfter: '2040-01-01T00:00:00Z' }],
      earliestExpiry: '2030-01-08T00:00:00Z',
    });
    expect(certificatesStatus(undefined, [holding()], status)).to.deep.equal(status);
    expect(certificatesStatus(undefined, [], status)).to.not.have.property('earliestExpiry');
    expect(certificatesStatus(undefined, [], undefined)).to.equal(undefined);
  });
});
