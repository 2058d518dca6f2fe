/**
 * Orders about nodes: those that people ask for by an annotation of a PhotonNode, and the removal of nodes whose data
 * was given up. The operator signs them, and gives them to a member, which passes them on. The annotation is taken
 * away when that is done; until then the order is given again, which changes nothing.
 */
import type { PhotonNode } from '../../api/generated/photon-node.ts';
import { isKubeError } from '../../kube/errors.ts';
import { resources } from '../../kube/object.ts';
import { AdminApiError } from '../../photon/admin-client.ts';
import { orderAnnotation, orderReasonAnnotation } from '../../resources/labels.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { acceptedLosses } from '../../rollout/identity.ts';
import type { Known, Wish } from '../../authority/node-orders.ts';
import { orderTime, removalOf, wishOf } from '../../authority/node-orders.ts';
import { askAny, council } from '../council.ts';
import { ownNode } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import { eventAbout, eventOf } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { complete } from '../task-result.ts';

/** How soon an order is given again that no member took. */
const againMs = 5_000;

interface Asked {
  readonly node: PhotonNode;
  readonly wish: Wish;
}

function askedFor(context: Context): readonly Asked[] {
  return wantedNodes(context.cluster).flatMap(({ name }) => {
    const node = ownNode(context, name);
    const wish = wishOf(name, node?.metadata.annotations);
    return node === undefined || wish === undefined ? [] : [{ node, wish }];
  });
}

/** The wish is carried out, or is none: unless it has changed meanwhile. */
async function takeAway({ tools, signal }: Context, { metadata }: PhotonNode): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const annotations = { [orderAnnotation]: null, [orderReasonAnnotation]: null };
  const patch = { metadata: { uid, resourceVersion, annotations } };
  try {
    await tools.client.mergePatch(resources.photonNodes, metadata, patch, { signal });
  } catch (error) {
    if (!isKubeError(error, 'kube.not_found', 'kube.conflict')) throw error;
  }
}

async function carryOut(context: Context, { node, wish }: Asked): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const { name } = node.metadata;
  const say = (type: 'Normal' | 'Warning', reason: string, note: string): void =>
    tools.emit(eventAbout(node, { type, reason, action: 'Order', note }));
  if (wish.type === 'refused') {
    say('Warning', 'OrderRefused', wish.message);
    await takeAway(context, node);
    return complete;
  }
  const { order: type, reason } = wish;
  const nodeId = node.status?.id ?? node.spec.id;
  const what = `order "${type}" about node ${name}`;
  if (nodeId === undefined) {
    return { type: 'retry', message: `the ${what} waits for its identity`, afterMs: againMs };
  }
  try {
    await askAny(council(context, name), async (member) => {
      const known = await tools.nodeAdmin.known(cluster, member, signal);
      const at = orderTime(tools.clock.wallMs(), nodeId, known);
      await tools.nodeAdmin.giveOrder(cluster, member, { type, nodeId, at, reason }, signal);
    });
  } catch (error) {
    if (!(error instanceof AdminApiError)) throw error;
    const message = `the ${what} is not given yet: ${error.message}`;
    say('Warning', 'OrderFailed', message);
    return { type: 'retry', message, afterMs: againMs };
  }
  say('Normal', 'OrderGiven', `gave the members the ${what} (${nodeId}): ${reason}`);
  await takeAway(context, node);
  return complete;
}

/** Removes a node whose data was given up, when its successor is a member. */
async function removeLost(context: Context, lost: string, known: Known): Promise<void> {
  const { cluster, key, tools, signal } = context;
  const names = wantedNodes(cluster).map(({ name }) => name);
  const removal = removalOf(lost, names, known);
  if (removal.type === 'done') tools.removals.note(key, lost);
  if (removal.type !== 'remove') return;
  const { reason } = removal;
  const at = orderTime(tools.clock.wallMs(), lost, known);
  const order = { type: 'remove', nodeId: lost, at, reason } as const;
  await askAny(council(context), (member) =>
    tools.nodeAdmin.giveOrder(cluster, member, order, signal),
  );
  const note = `removed node ${lost} from the cluster: ${reason}`;
  tools.emit(eventOf(context, { type: 'Normal', reason: 'NodeRemoved', action: 'Remove', note }));
}

async function removeAllLost(context: Context): Promise<void> {
  const { cluster, key, tools, signal } = context;
  const lost = acceptedLosses(cluster).filter((id) => !tools.removals.has(key, id));
  if (lost.length === 0) return;
  try {
    const members = council(context);
    const known = await askAny(members, (member) => tools.nodeAdmin.known(cluster, member, signal));
    for (const id of lost) await removeLost(context, id, known);
  } catch (error) {
    // The next reconcile tries again.
    if (!(error instanceof AdminApiError)) throw error;
  }
}

/** While nodes trust both authorities; every node is asked, since one may not have got an order yet. */
async function signAgain(context: Context): Promise<void> {
  const { authority, cluster, key, tools, signal } = context;
  if (authority?.facts.phase !== 'Renewing') return;
  const hash = authority.facts.authorities[0]?.hash ?? '';
  if (tools.signings.has(key, hash)) return;
  try {
    const members = council(context);
    let count = 0;
    for (const member of members) {
      count += await tools.nodeAdmin.signOrdersAgain(cluster, member, signal);
    }
    if (members.length > 0) tools.signings.note(key, hash);
    if (count === 0) return;
    const note = `signed ${count} orders about nodes with the new certificate authority`;
    tools.emit(eventOf(context, { type: 'Normal', reason: 'OrdersSigned', action: 'Sign', note }));
  } catch (error) {
    // The next reconcile tries again.
    if (!(error instanceof AdminApiError)) throw error;
  }
}

export async function carryOutOrders(context: Context): Promise<TaskResult> {
  await signAgain(context);
  await removeAllLost(context);
  const results: TaskResult[] = [];
  for (const asked of askedFor(context)) results.push(await carryOut(context, asked));
  return results.find(({ type }) => type !== 'complete') ?? complete;
}
