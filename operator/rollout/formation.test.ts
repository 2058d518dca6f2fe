import { expect } from 'chai';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import { clusterWith } from '../api/testing/clusters.ts';
import type { FormingNode } from './formation.ts';
import { formationOf, mayStart } from './formation.ts';

const first = 'orders-main-0-0';
const second = 'orders-query-0-0';

interface Known {
  readonly spec?: Partial<PhotonNode['spec']>;
  readonly status?: PhotonNode['status'];
}

function forming(name: string, { spec, status }: Known = {}): FormingNode {
  const roles = name === first ? ['data'] : ['coordinator'];
  const node = {
    apiVersion: 'photondb.io/v1alpha1',
    kind: 'PhotonNode',
    metadata: { name },
    spec: { clusterName: 'orders', pool: 'main', roles, ...spec },
    ...(status === undefined ? {} : { status }),
  } as PhotonNode;
  return { name, roles, node };
}

function clusterOf(status?: PhotonCluster['status'], accepted?: string): PhotonCluster {
  const cluster = clusterWith();
  const annotations = accepted === undefined ? {} : { 'photondb.io/accept-data-loss': accepted };
  const metadata = { ...cluster.metadata, annotations };
  return { ...cluster, metadata, ...(status === undefined ? {} : { status }) };
}

const reporting = (name: string, id: string, clusterId: string): FormingNode =>
  forming(name, { status: { id, clusterId } });

describe('the formation of a cluster', () => {
  it('lets one node found it, which has the role data, and lets the others wait', () => {
    const formation = formationOf(clusterOf(), [forming(second), forming(first)]);
    expect(formation).to.deep.equal({ founder: first });
    expect(mayStart(formation, first)).to.equal(true);
    expect(mayStart(formation, second)).to.equal(false);
  });

  it('takes the identity that the founder reports, and starts no node before it is recorded', () => {
    const formation = formationOf(clusterOf(), [reporting(first, 'a', 'c1'), forming(second)]);
    expect(formation).to.deep.equal({ reported: 'c1', founder: first });
    expect(mayStart(formation, second)).to.equal(false);
  });

  it('allows no founder once the identity is recorded', () => {
    const cluster = clusterOf({ clusterId: 'c1', members: [{ name: first, id: 'a' }] });
    for (const nodes of [[forming(first)], [reporting(first, 'a', 'c1')], []]) {
      const formation = formationOf(cluster, [...nodes, forming(second)]);
      expect(formation).to.deep.equal({ recorded: 'c1' });
      expect(mayStart(formation, second)).to.equal(true);
    }
  });

  it('remembers the identity in the intent of the nodes, when the status was deleted', () => {
    const nodes = [forming(first), forming(second, { spec: { id: 'b', clusterId: 'c1' } })];
    expect(formationOf(clusterOf(), nodes)).to.deep.equal({ recorded: 'c1' });
  });

  it('keeps the identity when the data of the founder is given up and others have joined', () => {
    const members = [
      { name: first, id: 'a' },
      { name: second, id: 'b' },
    ];
    const cluster = clusterOf({ clusterId: 'c1', members }, 'a');
    const nodes = [reporting(first, 'a', 'c1'), reporting(second, 'b', 'c1')];
    expect(formationOf(cluster, nodes)).to.deep.equal({ recorded: 'c1' });
  });

  it('begins again when the data of the only member is given up', () => {
    const status = { clusterId: 'c1', members: [{ name: first, id: 'a' }] };
    const former = forming(first, {
      spec: { id: 'a', clusterId: 'c1' },
      status: { id: 'a', clusterId: 'c1' },
    });
    const cluster = clusterOf(status, 'a');
    expect(formationOf(cluster, [former, forming(second)])).to.deep.equal({ founder: first });
    // The operator was down while the node founded the next one.
    const next = reporting(first, 'b', 'c2');
    expect(formationOf(cluster, [next])).to.deep.equal({ reported: 'c2', founder: first });
  });

  it('reports a node whose data belongs to another cluster', () => {
    const cluster = clusterOf({ clusterId: 'c1', members: [{ name: first, id: 'a' }] });
    const nodes = [reporting(first, 'a', 'c1'), reporting(second, 'b', 'c2')];
    const { recorded, conflict } = formationOf(cluster, nodes);
    expect(recorded).to.equal('c1');
    expect(conflict).to.contain(
      `node ${second} has the data of cluster c2, and this is cluster c1`,
    );
  });
});
