/**
 * Nodes keep their identity. One that returns without its data begins again as a new member when the other nodes have
 * everything that it had; else it does not become ready without a person's leave.
 */
import { reasons } from '../../api/conditions.ts';
import type { NodeView } from '../../api/node-view.ts';
import { hasItsData } from '../../api/node-view.ts';
import { keyOf } from '../../controller/object.ts';
import { AdminApiError } from '../../photon/admin-client.ts';
import { nodeContainer } from '../../resources/overlay.ts';
import { acceptedByAnnotation, dataLoss, isEmpty } from '../../rollout/identity.ts';
import type { Replacement, Witnesses } from '../../rollout/replacement.ts';
import { replacementOf } from '../../rollout/replacement.ts';
import { askAny, council } from '../council.ts';
import { observeNodes, ownNode } from '../observe-nodes.ts';
import { combined } from '../steps.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';

/** How soon the other nodes are asked again. */
const againMs = 1_000;

export async function guardIdentities(context: Context): Promise<TaskResult> {
  const { cluster } = context;
  const accepted = new Set(acceptedByAnnotation(cluster));
  // The status remembers them until it is written next: so this is said once.
  for (const { name, id } of cluster.status?.members ?? []) {
    if (!accepted.has(id)) continue;
    const note = `node ${name} begins without the data that it had as ${id}, as was asked for`;
    const event = { type: 'Warning', reason: 'DataLossAccepted', action: 'Forget', note } as const;
    context.tools.emit(eventOf(context, event));
  }
  const results: TaskResult[] = [];
  for (const node of observeNodes(context)) {
    if (!hasItsData(node)) results.push(await repair(context, node));
  }
  return combined(results);
}

/** One node at a time: the next one is decided on when the cluster shows what this one has changed. */
async function repair(context: Context, node: NodeView): Promise<TaskResult> {
  const { cluster, replaced } = context;
  const { name, recordedId = '' } = node;
  if (replaced !== undefined) {
    return { type: 'retry', message: `node ${name} lost its volume, too`, afterMs: againMs };
  }
  const isKnownEmpty = isEmpty(node) && reportsOfThisStart(context, name);
  const replacement = isKnownEmpty
    ? replacementOf(recordedId, await ask(context, node))
    : undefined;
  switch (replacement?.type) {
    case 'replace':
      return begin(context, { name, id: recordedId });
    case 'wait': {
      const what = `node ${name} lost its volume, and begins again when the others see that ${recordedId} is gone`;
      return { type: 'retry', message: `${what}: ${replacement.message}`, afterMs: againMs };
    }
    default: {
      const message = dataLoss(cluster, node, whyNot(replacement)) ?? '';
      return { type: 'fail', reason: reasons.dataMissing, message };
    }
  }
}

const whyNot = (replacement: Replacement | undefined): string | undefined =>
  replacement?.type === 'refuse' ? replacement.message : undefined;

/** The status of the cluster remembers it, and from then on the identity counts as given up. */
function begin(context: Context, { name, id }: { name: string; id: string }): TaskResult {
  context.replaced = [{ name, id }];
  const note = `node ${name} lost its volume and begins again as a new member: the other nodes have everything that it had as ${id}`;
  const event = { type: 'Normal', reason: 'ReplacingNode', action: 'Replace', note } as const;
  context.tools.emit(eventOf(context, event));
  return { type: 'retry', message: note, afterMs: againMs };
}

/** A report outlives its process: this one may be of a start before the volume was restored. */
function reportsOfThisStart(context: Context, name: string): boolean {
  const { cluster, tools } = context;
  const key = keyOf({ namespace: cluster.metadata.namespace ?? '', name });
  const statuses = tools.informers.pods.get(key)?.status?.containerStatuses ?? [];
  const own = statuses.find((container) => container.name === nodeContainer);
  const startedAt = own?.state?.running?.startedAt;
  const heartbeatAt = ownNode(context, name)?.status?.heartbeatAt;
  if (startedAt === undefined || heartbeatAt === undefined) return true;
  return Date.parse(heartbeatAt) >= Date.parse(startedAt);
}

async function ask(context: Context, lost: NodeView): Promise<Witnesses> {
  const { cluster, tools, signal } = context;
  const { recordedId } = lost;
  // One on an empty directory knows nothing, and does not serve.
  const isWitness = (view: NodeView): boolean => view.name !== lost.name && !isEmpty(view);
  const witnesses = council(context).filter(({ view }) => isWitness(view));
  const answers = await Promise.all(
    witnesses.map(async (member) => {
      try {
        const { members } = await tools.nodeAdmin.known(cluster, member, signal);
        return [members.find(({ id }) => id === recordedId)?.status];
      } catch (error) {
        if (!(error instanceof AdminApiError)) throw error;
        return [];
      }
    }),
  );
  const asked = askAny(witnesses, (member) => tools.nodeAdmin.needs(cluster, member, signal));
  const needs = await asked.catch((error: unknown) => {
    if (!(error instanceof AdminApiError)) throw error;
    return { failure: error.message };
  });
  const others = observeNodes(context).filter(isWitness).length;
  return { others, seen: answers.flat(), needs };
}
