/** The objects around the pods, each made by a pure function of the manifest. */
import { keyOf } from '../../controller/object.ts';
import { resources } from '../../kube/object.ts';
import { nodeAccount, nodeRole, nodeRoleBinding } from '../../resources/access.ts';
import { disruptionBudget } from '../../resources/disruption-budget.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { networkPolicy, wantsNetworkPolicy } from '../../resources/network-policy.ts';
import { configMap } from '../../resources/node-config.ts';
import { photonNode, photonPool } from '../../resources/photon-objects.ts';
import { acceptedLosses, recordedIdOf } from '../../rollout/identity.ts';
import { clientService, nodesService } from '../../resources/services.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { isOwned } from '../applier.ts';
import { observeFormation, ownNode } from '../observe-nodes.ts';
import { applyAll } from '../task.ts';
import { complete } from '../task-result.ts';
import { hasClaimThatLeaves } from './claims.ts';

/** Who the pods are in Kubernetes, and what they may do there. */
export async function grantAccess(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  const nodeNames = wantedNodes(cluster).map(({ name }) => name);
  return applyAll(context, [
    [resources.serviceAccounts, nodeAccount(cluster)],
    [resources.roles, nodeRole(cluster, nodeNames)],
    [resources.roleBindings, nodeRoleBinding(cluster)],
  ]);
}

/** The intent for each pool and node: pods look for theirs as soon as they start. */
export async function declareNodes(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  const { recorded, founder } = observeFormation(context);
  // While the authority cannot be read, nodes keep what they trust.
  const trusted = context.authority?.facts.authorities.map(({ hash }) => hash);
  return applyAll(context, [
    ...cluster.spec.pools.map(
      (pool) => [resources.photonPools, photonPool(cluster, pool)] as const,
    ),
    ...wantedNodes(cluster).map((node) => {
      const found = ownNode(context, node.name);
      const id = recordedIdOf(cluster, node.name, found);
      const history = {
        id,
        acceptedLosses: acceptedLosses(cluster),
        clusterId: recorded,
        isFounder: founder === node.name,
        authorities: trusted ?? found?.spec.authorities ?? [],
      };
      return [resources.photonNodes, photonNode(cluster, node, history)] as const;
    }),
  ]);
}

export async function writeConfiguration(context: Context): Promise<TaskResult> {
  const { cluster, tools } = context;
  return applyAll(context, [[resources.configMaps, configMap(cluster, tools.hash)]]);
}

/** The names by which nodes find each other: pods need it. */
export async function openNodesService(context: Context): Promise<TaskResult> {
  return applyAll(context, [[resources.services, nodesService(context.cluster)]]);
}

export async function openClientService(context: Context): Promise<TaskResult> {
  return applyAll(context, [[resources.services, clientService(context.cluster)]]);
}

/** Removes a policy that is no longer desired: the user may have another one. */
export async function guardNetwork(context: Context): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const policy = networkPolicy(cluster, tools.operatorNamespace);
  if (wantsNetworkPolicy(cluster)) return applyAll(context, [[resources.networkPolicies, policy]]);
  const found = tools.informers.find(policy.kind, keyOf(policy.metadata));
  const { uid, deletionTimestamp } = found?.metadata ?? {};
  const isThere = found !== undefined && isOwned(found, cluster);
  if (isThere && uid !== undefined && deletionTimestamp === undefined) {
    await tools.client.remove(resources.networkPolicies, policy.metadata, { uid, signal });
  }
  return complete;
}

export async function limitDisruption(context: Context): Promise<TaskResult> {
  const isDataAtRisk = hasClaimThatLeaves(context);
  const budget = disruptionBudget(context.cluster, { isDataAtRisk });
  return applyAll(context, [[resources.podDisruptionBudgets, budget]]);
}
