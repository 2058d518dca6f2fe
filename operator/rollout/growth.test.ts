import { expect } from 'chai';
import type { PodView } from '../api/node-view.ts';
import { podsOf } from './growth.ts';

const pod = (revision: string, isTerminating = false): PodView => ({
  uid: 'u',
  revision,
  isReady: true,
  isTerminating,
  unchangedMs: 0,
});
const first = (of: PodView | undefined) => ({
  wantedRevision: 'new',
  ...(of === undefined ? {} : { pod: of }),
});

describe('the growth of a cluster of one node', () => {
  it('waits until that node runs with the configuration of several', () => {
    for (const each of [pod('old'), pod('old', true), pod('new', true), undefined]) {
      expect(podsOf({ current: 1, wanted: 3, first: first(each) })).to.equal(1);
    }
    expect(podsOf({ current: 1, wanted: 3, first: first(pod('new')) })).to.equal(3);
    expect(podsOf({ current: 1, wanted: 5, first: first(pod('new')) })).to.equal(5);
  });

  it('does not hold back a new cluster, another revision of three nodes, or one node', () => {
    expect(podsOf({ current: undefined, wanted: 3, first: first(undefined) })).to.equal(3);
    expect(podsOf({ current: 3, wanted: 5, first: first(pod('old')) })).to.equal(5);
    expect(podsOf({ current: 0, wanted: 3, first: first(pod('old')) })).to.equal(3);
    expect(podsOf({ current: 1, wanted: 1, first: first(pod('old')) })).to.equal(1);
  });
});
