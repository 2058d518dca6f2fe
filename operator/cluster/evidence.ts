/**
 * What other controllers say in events about nodes that do not run: a quota, a sandbox, a volume.
 * Events are not watched, since there are many and few matter: those of an object in trouble are
 * read by its name.
 */
import type { NodeView } from '../api/node-view.ts';
import { keyOf } from '../controller/object.ts';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { wantedNodes } from '../resources/layout.ts';
import { claimName, statefulSetName } from '../resources/names.ts';
import type { Evidence, SeenEvent } from '../status/observed.ts';
import type { Context } from './task.ts';

interface EventObject extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly series?: { readonly lastObservedTime?: string };
  readonly regarding?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
}

/** What was read is good for this time: a pod that starts changes several times a second. */
const freshMs = 2_000;

/** Nodes that are explained at a time; more add no information. */
const nodesMax = 8;

/** Objects whose events are remembered. */
const rememberedMax = 1_000;

interface Remembered {
  readonly atMs: number;
  readonly events: readonly EventObject[];
}

interface Place {
  readonly kind: string;
  readonly name: string;
  readonly uid?: string | undefined;
}

export class EvidenceReader {
  readonly #remembered = new Map<string, Remembered>();

  /** Evidence by the name of the node, for those that have no ready pod. */
  async gather(
    context: Context,
    nodes: readonly NodeView[],
  ): Promise<ReadonlyMap<string, Evidence>> {
    const silent = nodes
      .filter(({ pod }) => pod === undefined || (!pod.isReady && !pod.isTerminating))
      .slice(0, nodesMax);
    const found = await Promise.all(
      silent.map(async ({ name }) => [name, await this.#evidence(context, name)] as const),
    );
    return new Map(found);
  }

  async #evidence(context: Context, node: string): Promise<Evidence> {
    const { cluster, tools } = context;
    const { namespace = '' } = cluster.metadata;
    const { informers } = tools;
    const wanted = wantedNodes(cluster).find(({ name }) => name === node);
    const set = wanted === undefined ? '' : statefulSetName(wanted.zone.name);
    const pod = informers.pods.get(keyOf({ namespace, name: node }));
    const claim = informers.volumeClaims.get(keyOf({ namespace, name: claimName(node) }));
    const places: Place[] = [{ kind: 'Pod', name: node, uid: pod?.metadata.uid }];
    if (pod === undefined) {
      const uid = informers.statefulSets.get(keyOf({ namespace, name: set }))?.metadata.uid;
      places.push({ kind: 'StatefulSet', name: set, uid });
    }
    if (claim?.status?.phase === 'Pending') {
      places.push({ kind: claim.kind, name: claim.metadata.name, uid: claim.metadata.uid });
    }
    const events = await Promise.all(places.map((place) => this.#eventsOf(context, place)));
    if (claim === undefined) return { events: events.flat() };
    const { phase } = claim.status ?? {};
    const seen = { name: claim.metadata.name, ...(phase === undefined ? {} : { phase }) };
    return { events: events.flat(), claim: seen };
  }

  async #eventsOf(context: Context, { kind, name, uid }: Place): Promise<readonly SeenEvent[]> {
    const { clock } = context.tools;
    const events = await this.#read(context, kind, name);
    return events.map((event) => ({
      kind,
      name,
      reason: event.reason ?? '',
      note: event.note ?? '',
      isCurrent: uid !== undefined && event.regarding?.uid === uid,
      ageMs: Math.max(0, clock.wallMs() - Date.parse(timeOf(event))),
    }));
  }

  async #read(
    { cluster, tools, signal }: Context,
    kind: string,
    name: string,
  ): Promise<readonly EventObject[]> {
    const { namespace = '' } = cluster.metadata;
    const id = `${kind} ${keyOf({ namespace, name })}`;
    const now = tools.clock.now();
    const last = this.#remembered.get(id);
    if (last !== undefined && now - last.atMs < freshMs) return last.events;
    const events = await read(tools.client, { kind, name, namespace }, signal);
    this.#remembered.delete(id);
    this.#remembered.set(id, { atMs: now, events });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= rememberedMax) break;
      this.#remembered.delete(oldest);
    }
    return events;
  }
}

async function read(
  client: Context['tools']['client'],
  { kind, name, namespace }: { kind: string; name: string; namespace: string },
  signal: AbortSignal,
): Promise<readonly EventObject[]> {
  const fieldSelector = `regarding.kind=${kind},regarding.name=${name}`;
  try {
    const scope = { namespace, fieldSelector };
    return (await client.list<EventObject>(resources.events, scope, { signal })).items;
  } catch (error) {
    // Optional: without it, the status has less detail, and the reconcile continues.
    if (isKubeError(error) && !signal.aborted) return [];
    throw error;
  }
}

function timeOf({ series, deprecatedLastTimestamp, eventTime, metadata }: EventObject): string {
  return (
    series?.lastObservedTime ??
    deprecatedLastTimestamp ??
    eventTime ??
    metadata.creationTimestamp ??
    ''
  );
}
