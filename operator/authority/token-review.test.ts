import { expect } from 'chai';
import type { KubeClient } from '../kube/client.ts';
import { RateGuard } from './rate-guard.ts';
import { SigningRefusal } from './refusal.ts';
import { podOf, reviewToken } from './token-review.ts';

const audience = 'photondb.io/certificates';
const extra = {
  'authentication.kubernetes.io/pod-name': ['orders-main-0-0'],
  'authentication.kubernetes.io/pod-uid': ['u1'],
};
const status = {
  authenticated: true,
  audiences: [audience],
  user: { username: 'system:serviceaccount:shop:orders-node', extra },
};
const object = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  metadata: { name: '' },
};

type Status = NonNullable<Parameters<typeof podOf>[0]['status']>;

function codeOf(answer: Status): string {
  try {
    podOf({ ...object, status: answer }, audience);
    return 'none';
  } catch (error) {
    return (error as SigningRefusal).code;
  }
}

describe('the review of a token', () => {
  it('says which pod presents it', () => {
    expect(podOf({ ...object, status }, audience)).to.deep.equal({
      namespace: 'shop',
      account: 'orders-node',
      name: 'orders-main-0-0',
      uid: 'u1',
    });
  });

  const { user } = status;
  const twice = { 'authentication.kubernetes.io/pod-name': ['a', 'b'] };
  const refused: readonly (readonly [about: string, status: Status, code: string])[] = [
    ['that is not authentic', { ...status, authenticated: false }, 'unauthenticated'],
    ['for no audience', { ...status, audiences: [] }, 'unauthenticated'],
    ['for another audience', { ...status, audiences: ['vault'] }, 'unauthenticated'],
    ['of a person', { ...status, user: { ...user, username: 'kubernetes-admin' } }, 'forbidden'],
    ['of no pod', { ...status, user: { username: user.username } }, 'forbidden'],
    ['of two pods', { ...status, user: { ...user, extra: { ...extra, ...twice } } }, 'forbidden'],
    ['that nobody judged', {}, 'unauthenticated'],
  ];
  for (const [about, answer, code] of refused) {
    it(`refuses one ${about}`, () => expect(codeOf(answer)).to.equal(code));
  }

  it('sends no malformed token to the API server', async () => {
    for (const token of ['', 'a'.repeat(8_193)]) {
      const refusal: unknown = await reviewToken({} as KubeClient, { token, audience }).catch(
        (error: unknown) => error,
      );
      expect(refusal).to.be.instanceOf(SigningRefusal).and.include({ code: 'unauthenticated' });
    }
  });
});

describe('a rate for each of many keys', () => {
  it('admits a burst of one key, and keeps others free', () => {
    const guard = new RateGuard({ ratePerSecond: 1, burst: 2 });
    expect([0, 0, 0].map((at) => guard.admits('a', at))).to.deep.equal([true, true, false]);
    expect(guard.admits('b', 0)).to.equal(true);
    expect(guard.admits('a', 1_000)).to.equal(true);
  });

  it('remembers a bounded number of keys', () => {
    const guard = new RateGuard({ ratePerSecond: 1, burst: 1 });
    for (let key = 0; key < 10_100; key += 1) guard.admits(String(key), 0);
    expect(guard.size).to.equal(10_000);
  });
});
