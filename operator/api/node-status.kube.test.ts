import { expect } from 'chai';
import { clientOfAccount } from '../cluster/testing/accounts.ts';
import { installTypes, refusalOf } from '../cluster/testing/api-types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import type { TestNamespace } from '../kube/testing/control-plane.ts';
import { testNamespace } from '../kube/testing/control-plane.ts';
import { nodeAccount, nodeRole, nodeRoleBinding } from '../resources/access.ts';
import { clusterWith } from './testing/clusters.ts';

/**
 * Who may write the status of a PhotonNode, tried with the tokens that pods really get. RBAC lets all
 * pods of a cluster write to all of its nodes; the admission policy leaves each pod its own.
 */
const cluster = 'orders';
const own = `${cluster}-main-0-0`;
const sibling = `${cluster}-main-0-1`;

describe('the status of a PhotonNode', () => {
  let here: TestNamespace;
  let there: TestNamespace;

  /** A node and the pod of its name, with the account that pods of the cluster have. */
  async function makeNode({ client, namespace }: TestNamespace, name: string): Promise<void> {
    const { apiVersion } = clusterWith();
    const metadata = { name, namespace };
    const node = {
      apiVersion,
      kind: 'PhotonNode',
      metadata,
      spec: { clusterName: cluster, pool: 'main', roles: ['data'] },
    };
    await client.create(resources.photonNodes, node);
    const containers = [{ name: 'photondb', image: 'photondb' }];
    const spec = { serviceAccountName: `${cluster}-node`, containers };
    await client.create(resources.pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec,
    } as KubeObject);
  }

  async function makeCluster(at: TestNamespace): Promise<void> {
    const owned = clusterWith({}, cluster);
    const objects = [
      [resources.serviceAccounts, nodeAccount(owned)],
      [resources.roles, nodeRole(owned, [own, sibling])],
      [resources.roleBindings, nodeRoleBinding(owned)],
    ] as const;
    for (const [resource, object] of objects) {
      const { ownerReferences: _, ...metadata } = { ...object.metadata, namespace: at.namespace };
      const subjects = [
        { kind: 'ServiceAccount', name: `${cluster}-node`, namespace: at.namespace },
      ];
      const changed = { ...object, metadata, ...('subjects' in object ? { subjects } : {}) };
      await at.client.apply(resource, changed);
    }
    for (const name of [own, sibling]) await makeNode(at, name);
  }

  const clientAs = (at: TestNamespace, account: string, pod?: string): Promise<KubeClient> =>
    clientOfAccount(at.client, {
      namespace: at.namespace,
      account,
      ...(pod === undefined ? {} : { pod }),
    });

  async function tryToWrite(client: KubeClient, namespace: string, name: string): Promise<string> {
    const status = { status: { message: `written at ${performance.now()}` } };
    const at = { namespace, name };
    const words = await refusalOf(
      client.mergePatch(resources.photonNodes, at, status, { subresource: 'status' }),
    );
    if (client !== here.client) await client.close();
    return words;
  }

  before(async () => {
    here = await testNamespace('status');
    there = await testNamespace('status');
    await installTypes(here.client, here.namespace);
    await makeCluster(here);
    await makeCluster(there);
  });

  after(async () => {
    await here.remove();
    await there.remove();
  });

  it('is written by its own pod', async () => {
    const client = await clientAs(here, `${cluster}-node`, own);
    expect(await tryToWrite(client, here.namespace, own)).to.equal('not refused');
  });

  it('is not written by a sibling of the same cluster, though RBAC would let it', async () => {
    const client = await clientAs(here, `${cluster}-node`, sibling);
    const words = await tryToWrite(client, here.namespace, own);
    expect(words).to.contain(`use the token of pod ${own}`);
  });

  it('is not written by the pod of the same name in another namespace', async () => {
    const client = await clientAs(there, `${cluster}-node`, own);
    expect(await tryToWrite(client, here.namespace, own)).to.contain('kube.forbidden');
  });

  it('is not written with a token of the account that belongs to no pod', async () => {
    const client = await clientAs(here, `${cluster}-node`);
    expect(await tryToWrite(client, here.namespace, own)).to.contain(`use the token of pod ${own}`);
  });

  it('is not written by an administrator, nor by the operator', async () => {
    const words = await tryToWrite(here.client, here.namespace, own);
    expect(words).to.contain('written by its own pod alone');
  });

  it('is not written by a pod with another account, though RBAC should let it', async () => {
    const account = 'outsider';
    const metadata = { name: account, namespace: here.namespace };
    await here.client.create(resources.serviceAccounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata,
    });
    const rules = [
      { apiGroups: ['photondb.io'], resources: ['photonnodes/status'], verbs: ['patch'] },
    ];
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await here.client.create(resources.roles, {
      apiVersion,
      kind: 'Role',
      metadata,
      rules,
    } as KubeObject);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account };
    const subjects = [{ kind: 'ServiceAccount', name: account, namespace: here.namespace }];
    await here.client.create(resources.roleBindings, {
      apiVersion,
      kind: 'RoleBinding',
      metadata,
      roleRef,
      subjects,
    } as KubeObject);
    const words = await tryToWrite(await clientAs(here, account), here.namespace, own);
    expect(words).to.contain(`as system:serviceaccount:${here.namespace}:${cluster}-node`);
  });

  it('may be read by the pods of the cluster, and its intent changed by none of them', async () => {
    const client = await clientAs(here, `${cluster}-node`, own);
    const at = { namespace: here.namespace, name: own };
    expect((await client.get(resources.photonNodes, at)).metadata.name).to.equal(own);
    const change = client.mergePatch(resources.photonNodes, at, { spec: { roles: ['data'] } });
    expect(await refusalOf(change)).to.contain('kube.forbidden');
    expect(await refusalOf(client.list(resources.photonNodes, at))).to.contain('kube.forbidden');
    expect(await refusalOf(client.list(resources.secrets, at))).to.contain('kube.forbidden');
    await client.close();
  });
});
