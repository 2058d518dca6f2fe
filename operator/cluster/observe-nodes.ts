/** The wanted nodes of a cluster as the caches show them. */
import type { PhotonNode } from '../api/generated/photon-node.ts';
import type { NodeView } from '../api/node-view.ts';
import { keyOf } from '../controller/object.ts';
import { restartAnnotation, revisionAnnotation } from '../resources/labels.ts';
import { wantedNodes } from '../resources/layout.ts';
import { statefulSetName } from '../resources/names.ts';
import { nodeContainer } from '../resources/overlay.ts';
import type { Formation } from '../rollout/formation.ts';
import { formationOf } from '../rollout/formation.ts';
import { recordedIdOf } from '../rollout/identity.ts';
import type { Evidence } from '../status/observed.ts';
import { nodeView } from '../status/node-view.ts';
import { isOwned } from './applier.ts';
import type { Context } from './task.ts';
import { wantedTemplate } from './task.ts';

const conventions = Object.freeze({
  revisionAnnotation,
  restartAnnotation,
  mainContainer: nodeContainer,
});

/**
 * The object of a node; undefined for one of a former cluster of this name, which has not been collected yet:
 * what it says of its data is about volumes that may be gone.
 */
export function ownNode(
  { cluster, tools }: Pick<Context, 'cluster' | 'tools'>,
  name: string,
): PhotonNode | undefined {
  const namespace = cluster.metadata.namespace ?? '';
  const node = tools.informers.nodes.get(keyOf({ namespace, name }));
  return node !== undefined && isOwned(node, cluster) ? node : undefined;
}

/** Which cluster the wanted nodes form, as the caches show it. */
export function observeFormation(context: Pick<Context, 'cluster' | 'tools'>): Formation {
  const { cluster } = context;
  const nodes = wantedNodes(cluster).map(({ name, pool }) => ({
    name,
    roles: pool.roles,
    node: ownNode(context, name),
  }));
  return formationOf(cluster, nodes);
}

/** With evidence, the views also contain what the pods do not show. */
export function observeNodes(
  context: Context,
  evidence: ReadonlyMap<string, Evidence> = new Map(),
): readonly NodeView[] {
  const { cluster, tools } = context;
  const { informers, heartbeats, clock } = tools;
  const namespace = cluster.metadata.namespace ?? '';
  const elapsedMs = (since: string): number => clock.wallMs() - Date.parse(since);
  return wantedNodes(cluster).map(({ name, pool, zone }) => {
    const key = keyOf({ namespace, name });
    const node = ownNode(context, name);
    const uid = node?.metadata.uid ?? '';
    const heartbeat = node?.status?.heartbeatAt;
    if (heartbeat !== undefined) heartbeats.see(uid, heartbeat, clock.now());
    const set = informers.statefulSets.get(keyOf({ namespace, name: statefulSetName(zone.name) }));
    const wantedRestart = set?.spec?.template?.metadata?.annotations?.[restartAnnotation];
    const recordedId = recordedIdOf(cluster, name, node);
    const objects = {
      name,
      pool: pool.name,
      roles: pool.roles,
      ...(recordedId === undefined ? {} : { recordedId }),
      wantedVersion: cluster.spec.version,
      wantedRevision: wantedTemplate(context, pool, zone).revision,
      ...(wantedRestart === undefined ? {} : { wantedRestart }),
      pod: informers.pods.get(key),
      node,
      isHeard: heartbeats.isHeard(uid, clock.now()),
      evidence: evidence.get(name),
    };
    return nodeView(objects, conventions, elapsedMs);
  });
}
