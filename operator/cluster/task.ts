/** What the tasks of a reconcile are given, and what they end in. */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { reasons } from '../api/conditions.ts';
import type { Clock } from '../controller/clock.ts';
import type { EventInput } from '../controller/event-recorder.ts';
import type { Expectations } from '../controller/expectations.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import type { Hash, Manifest, Pool } from '../resources/manifest.ts';
import type { Zone } from '../resources/layout.ts';
import { passwordSecretName } from '../resources/admin-secret.ts';
import { configMap } from '../resources/node-config.ts';
import type { PodTemplate } from '../resources/pod-template.ts';
import type { Privilege } from '../resources/privileges.ts';
import { podTemplate } from '../resources/pod-template.ts';
import type { AuthorityFacts } from '../status/certificates.ts';
import type { Replaced } from '../status/cluster-status.ts';
import type { Heartbeats } from '../status/heartbeats.ts';
import type { Applied, Applier } from './applier.ts';
import type { Drains } from './drains.ts';
import type { Confirmations } from './confirmations.ts';
import type { NodeAdmin } from './node-admin.ts';
import type { Poller } from './poller.ts';
import { refusalOf } from './refusal.ts';
import type { InformerSet } from './informer-set.ts';
import { complete } from './task-result.ts';
import type { TaskResult } from './task-result.ts';

/** What the process has one of, for all clusters. */
export interface Tools {
  readonly client: KubeClient;
  readonly informers: InformerSet;
  readonly applier: Applier;
  readonly expectations: Expectations;
  readonly heartbeats: Heartbeats;
  readonly poller: Poller;
  readonly clock: Clock;
  readonly hash: Hash;
  /** What overlays may give to pods beyond the restricted pod security standard. */
  readonly allowedPrivileges: ReadonlySet<Privilege>;
  /** Where nodes ask for certificates; undefined when this operator serves none. */
  readonly signingEndpoint?: string | undefined;
  /** Where the operator itself runs; undefined outside of Kubernetes. */
  readonly operatorNamespace?: string | undefined;
  readonly nodeAdmin: NodeAdmin;
  readonly drains: Drains;
  readonly removals: Confirmations;
  /** Authorities, by their hash, that have signed the orders of their cluster. */
  readonly signings: Confirmations;
  /** A random password. */
  readonly newPassword: () => string;
  readonly emit: (event: EventInput) => void;
}

/** The authorities of a cluster, as its Secret has them now. */
interface SeenAuthority {
  /** Certificates of all that are trusted, PEM. */
  readonly bundle: string;
  readonly facts: AuthorityFacts;
}

/** One reconcile of one cluster, as its cache showed it at the start. */
export interface Context {
  readonly key: string;
  readonly cluster: PhotonCluster;
  readonly tools: Tools;
  readonly signal: AbortSignal;
  /** Found by the task that looks after the password. */
  password?: { readonly secret: string; readonly version: string };
  /** Found by the task that looks after the certificate authority. */
  authority?: SeenAuthority;
  /** Nodes that this reconcile lets begin again, as the status is to remember them. */
  replaced?: Replaced;
}

export type Task = (context: Context) => Promise<TaskResult>;

/** How soon to look again at what leaves without an event. */
const leavingMs = 2_000;

/** Applies all; the first obstacle decides. */
export async function applyAll(
  context: Context,
  wanted: readonly (readonly [Resource, Manifest])[],
): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const results = await Promise.all(
    wanted.map(async ([resource, manifest]): Promise<TaskResult> => {
      try {
        const applied = await tools.applier.apply(cluster, resource, manifest, signal);
        sayRepair(context, applied);
        return resultOf(applied);
      } catch (error) {
        const refusal = refusalOf(error, `${manifest.kind} ${manifest.metadata.name}`);
        if (refusal === undefined) throw error;
        return refusal;
      }
    }),
  );
  const firstOf = (type: TaskResult['type']): TaskResult | undefined =>
    results.find((result) => result.type === type);
  return firstOf('fail') ?? firstOf('retry') ?? complete;
}

function sayRepair(context: Context, applied: Applied): void {
  if (applied.type !== 'ours' || applied.repair === undefined) return;
  const event = { type: 'Warning', reason: 'Repaired', action: 'Replace' } as const;
  context.tools.emit(eventOf(context, { ...event, note: applied.repair }));
}

function resultOf(applied: Applied): TaskResult {
  switch (applied.type) {
    case 'ours':
      return complete;
    case 'foreign':
      return { type: 'fail', reason: reasons.foreignObject, message: applied.message };
    case 'leaving':
      return { type: 'retry', message: applied.message, afterMs: leavingMs };
  }
}

/** The wanted pods of a zone. */
export function wantedTemplate(
  { cluster, tools }: Pick<Context, 'cluster' | 'tools'>,
  pool: Pool,
  zone: Zone,
): PodTemplate {
  const facts = {
    configMapName: configMap(cluster, tools.hash).metadata.name,
    passwordSecret: passwordSecretName(cluster),
  };
  return podTemplate({ cluster, pool, zone }, facts, tools.hash);
}

/** An event about the cluster. */
export const eventOf = (
  { cluster }: Pick<Context, 'cluster'>,
  event: Omit<EventInput, 'regarding'>,
): EventInput => eventAbout(cluster, event);

export function eventAbout(
  { apiVersion, kind, metadata }: KubeObject,
  event: Omit<EventInput, 'regarding'>,
): EventInput {
  const { name, namespace, uid } = metadata;
  return {
    ...event,
    regarding: {
      apiVersion,
      kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}
