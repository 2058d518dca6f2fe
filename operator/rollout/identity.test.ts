import { expect } from 'chai';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { isCurrent } from '../api/node-view.ts';
import type { NodeReport } from '../api/node-view.ts';
import { clusterWith, nodeWith } from '../api/testing/clusters.ts';
import { acceptedLosses, dataLoss, recordedIdOf } from './identity.ts';

const name = 'orders-main-0-0';

function clusterOf(accepted?: string, member?: string): PhotonCluster {
  const cluster = clusterWith();
  const annotations = accepted === undefined ? {} : { 'photondb.io/accept-data-loss': accepted };
  return {
    ...cluster,
    metadata: { ...cluster.metadata, annotations },
    ...(member === undefined ? {} : { status: { members: [{ name, id: member }] } }),
  };
}

function nodeOf(spec?: string, status?: string): PhotonNode {
  return {
    apiVersion: 'photondb.io/v1alpha1',
    kind: 'PhotonNode',
    metadata: { name },
    spec: {
      clusterName: 'orders',
      pool: 'main',
      roles: ['data'],
      ...(spec === undefined ? {} : { id: spec }),
    },
    ...(status === undefined ? {} : { status: { id: status } }),
  };
}

describe('the recorded identity of a node', () => {
  const cases: readonly (readonly [
    about: string,
    cluster: PhotonCluster,
    node: PhotonNode | undefined,
    id: string | undefined,
  ])[] = [
    ['is none before it has reported one', clusterOf(), nodeOf(), undefined],
    ['is what it reports first', clusterOf(), nodeOf(undefined, 'a'), 'a'],
    ['stays what it was, whatever is reported', clusterOf(undefined, 'a'), nodeOf('a', 'b'), 'a'],
    ['outlives the PhotonNode', clusterOf(undefined, 'a'), undefined, 'a'],
    ['outlives the status of the cluster', clusterOf(), nodeOf('a', 'b'), 'a'],
    ['is forgotten when its loss is accepted', clusterOf('a', 'a'), nodeOf('a', 'a'), undefined],
    ['is the new one after that', clusterOf('a', 'a'), nodeOf('a', 'b'), 'b'],
    ['is not forgotten for an older acceptance', clusterOf('a', 'b'), nodeOf('b', 'b'), 'b'],
    ['is of no other node', clusterOf(undefined, 'a'), nodeOf(undefined, undefined), 'a'],
  ];
  for (const [about, cluster, node, id] of cases) {
    it(about, () => {
      expect(recordedIdOf(cluster, name, node)).to.equal(id);
    });
  }

  it('may be given up for several nodes at once, and for nothing that is no identity', () => {
    expect(acceptedLosses(clusterOf(' a, b ,,a'))).to.deep.equal(['a', 'b']);
    expect(acceptedLosses(clusterOf('x'.repeat(100)))).to.deep.equal([]);
    expect(acceptedLosses(clusterOf())).to.deep.equal([]);
  });
});

describe('a node without the data that it had', () => {
  const cases: readonly (readonly [
    about: string,
    recorded: string | undefined,
    report: Partial<NodeReport>,
    words: string | undefined,
  ])[] = [
    ['is not one that has it', 'a', { id: 'a' }, undefined],
    ['is not one that is new', undefined, { id: 'a' }, undefined],
    ['is not one of a release that does not report it', 'a', {}, undefined],
    ['is one with an empty directory', 'a', { id: 'a', missingId: 'a' }, 'is empty'],
    ['is one with the directory of another', 'a', { id: 'b' }, 'it now has b'],
    ['is not one whose loss was accepted meanwhile', undefined, { missingId: 'a' }, undefined],
  ];
  for (const [about, recordedId, report, words] of cases) {
    it(about, () => {
      const node = nodeWith({ report, ...(recordedId === undefined ? {} : { recordedId }) });
      const said = dataLoss(clusterOf(), node);
      expect(isCurrent(node)).to.equal(words === undefined);
      if (words === undefined) expect(said).to.equal(undefined);
      else {
        expect(said).to.contain(words);
        expect(said).to.contain(
          'kubectl annotate photoncluster orders --namespace shop photondb.io/accept-data-loss=a',
        );
      }
    });
  }
});
