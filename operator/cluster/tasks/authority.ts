/**
 * The certificate authority of a cluster: made once, kept when it is there, and replaced only when a
 * person asks for it. A lost one is reported, and never replaced silently: nodes trust it.
 */
import type { AuthorityPair } from '../../authority/authority.ts';
import { authorityHash, createAuthority, expiryOf } from '../../authority/authority.ts';
import type { AuthoritySet, StoredSecret } from '../../authority/authority-set.ts';
import {
  certificatesIn,
  readAuthoritySet,
  rotationAnnotation,
  secretContents,
  trustedCertificates,
} from '../../authority/authority-set.ts';
import type { RotationState, RotationStep } from '../../authority/rotation.ts';
import { decideRotation, phaseOf } from '../../authority/rotation.ts';
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import { authorityConfigMap, authoritySecret } from '../../resources/certificates.ts';
import { wantedNodes } from '../../resources/layout.ts';
import { authorityConfigMapName } from '../../resources/names.ts';
import { isOwned, refusalOf } from '../applier.ts';
import { observeNodes, ownNode } from '../observe-nodes.ts';
import type { Context } from '../task.ts';
import { applyAll, eventOf } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { complete } from '../task-result.ts';

type Secret = KubeObject & StoredSecret;

const authorityLifetimeMs = 3_650 * 86_400_000;

/** Names the authority that is lost, by its hash: a new one may take its place. */
const replaceAnnotation = 'photondb.io/replace-authority';

/** How soon to read a Secret again that was created or changed concurrently. */
const againMs = 500;
const again: TaskResult = Object.freeze({
  type: 'retry',
  message: 'the Secret with the certificate authority is being changed',
  afterMs: againMs,
});

function newAuthority({ tools }: Context): Promise<AuthorityPair> {
  return createAuthority({ now: tools.clock.wallMs(), lifetimeMs: authorityLifetimeMs });
}

function say(context: Context, reason: string, note: string): void {
  const event = { type: 'Normal', reason, action: 'RotateAuthority', note } as const;
  context.tools.emit(eventOf(context, event));
}

function rotationState({ signing, next, former, rotation }: AuthoritySet): RotationState {
  return {
    signing: authorityHash(signing.certificate),
    ...(next === undefined ? {} : { next: authorityHash(next.certificate) }),
    former: former.map(authorityHash),
    ...(rotation === undefined ? {} : { rotation }),
  };
}

function stepOf(context: Context, set: AuthoritySet): RotationStep {
  const wish = context.cluster.metadata.annotations?.[rotationAnnotation];
  const nodes = observeNodes(context).map(({ name, report }) => ({
    name,
    trusts: report?.trusts ?? [],
    ...(report?.certificate === undefined ? {} : { certificateOf: report.certificate.authority }),
  }));
  return decideRotation(rotationState(set), wish, nodes);
}

/** What the Secret is to hold after a step; undefined when nothing changes. */
async function changed(
  context: Context,
  set: AuthoritySet,
  step: RotationStep,
): Promise<AuthoritySet | undefined> {
  const { next } = set;
  switch (step.type) {
    case 'begin':
      return { ...set, next: await newAuthority(context), rotation: step.rotation };
    case 'switch': {
      if (next === undefined) return undefined;
      const { next: _, ...rest } = set;
      return { ...rest, signing: next, former: [set.signing.certificate, ...set.former] };
    }
    case 'retire':
      return { ...set, former: [] };
    case 'settled':
    case 'wait':
      return undefined;
  }
}

const notes: Readonly<Partial<Record<RotationStep['type'], string>>> = {
  begin: 'made another certificate authority: it signs when every node trusts it',
  switch: 'the new certificate authority signs: nodes renew their certificates',
  retire: 'every node has a certificate of the new authority: the former one is trusted no more',
};

/** Tells the other tasks and the status what there is now. */
function note(context: Context, set: AuthoritySet): void {
  const state = rotationState(set);
  const step = stepOf(context, set);
  context.authority = {
    bundle: trustedCertificates(set).join(''),
    facts: {
      phase: phaseOf(state),
      ...(step.type === 'wait' ? { message: step.message } : {}),
      ...(set.rotation === undefined ? {} : { rotation: set.rotation }),
      authorities: trustedCertificates(set).map((certificate, at) => ({
        hash: authorityHash(certificate),
        use: at === 0 ? 'Signing' : 'Trusted',
        notAfter: new Date(expiryOf(certificate)).toISOString().replace(/\.\d+Z$/, 'Z'),
        leftMs: expiryOf(certificate) - context.tools.clock.wallMs(),
      })),
    },
  };
}

async function goOn(context: Context, secret: Secret, set: AuthoritySet): Promise<TaskResult> {
  const step = stepOf(context, set);
  const wanted = await changed(context, set, step);
  if (wanted === undefined) {
    note(context, set);
    return complete;
  }
  if (!(await write(context, secret, wanted))) return again;
  say(context, 'AuthorityRotation', notes[step.type] ?? step.type);
  note(context, wanted);
  return complete;
}

/** At the observed version: false after a concurrent change. */
async function write(context: Context, secret: Secret, set: AuthoritySet): Promise<boolean> {
  const { annotations, data } = secretContents(set);
  const { uid, resourceVersion } = secret.metadata;
  const patch = { metadata: { uid, resourceVersion, annotations }, data };
  const { signal } = context;
  try {
    await context.tools.client.mergePatch(resources.secrets, secret.metadata, patch, { signal });
    return true;
  } catch (error) {
    if (isKubeError(error, 'kube.conflict')) return false;
    throw error;
  }
}

async function make(context: Context, set: AuthoritySet): Promise<TaskResult> {
  const manifest = authoritySecret(context.cluster, secretContents(set));
  const { signal } = context;
  try {
    await context.tools.client.create(resources.secrets, manifest, { signal });
  } catch (error) {
    // Made meanwhile, or by a request whose answer was lost: it counts as it is.
    if (isKubeError(error, 'kube.already_exists')) return again;
    throw error;
  }
  say(
    context,
    'AuthorityMade',
    `made Secret ${manifest.metadata.name} with a certificate authority`,
  );
  note(context, set);
  return complete;
}

/** Certificates that nodes trust, from the ConfigMap that they read. */
function distributed({ cluster, tools }: Context): readonly string[] {
  const { name, namespace = '' } = cluster.metadata;
  const key = keyOf({ namespace, name: authorityConfigMapName(name) });
  const found = tools.informers.configMaps.get(key);
  // One of a former cluster of this name says nothing about this one.
  if (found === undefined || !isOwned(found, cluster)) return [];
  return certificatesIn(found.data?.['ca.crt'] ?? '');
}

/** The hash of the authority that signed, by what others remember of it; undefined for none. */
function remembered(context: Context): string | undefined {
  const { cluster } = context;
  const known = cluster.status?.certificates?.authorities?.find(({ use }) => use === 'Signing');
  const [first] = distributed(context);
  if (known !== undefined) return known.hash;
  if (first !== undefined) return authorityHash(first);
  const trusted = wantedNodes(cluster).flatMap(({ name }) => {
    const { spec, status } = ownNode(context, name) ?? {};
    const own = status?.certificate?.authority;
    return own === undefined ? (spec?.authorities ?? []) : [own];
  });
  return trusted[0];
}

/** Nodes trust an authority whose key is lost: it is replaced only on request. */
async function replaceLost(
  context: Context,
  lost: { readonly hash: string; readonly why: string; readonly secret?: Secret },
): Promise<TaskResult> {
  const { hash, why, secret } = lost;
  const { metadata, status } = context.cluster;
  if (metadata.annotations?.[replaceAnnotation] !== hash) {
    const until = status?.certificates?.earliestExpiry;
    const end = until === undefined ? '' : `, the first of which expires at ${until}`;
    const at = metadata.namespace === undefined ? '' : ` --namespace ${metadata.namespace}`;
    const command = `kubectl annotate photoncluster ${metadata.name}${at} ${replaceAnnotation}=${hash} --overwrite`;
    const message = `${why}: nodes keep their current certificates${end}, and none is issued or renewed. Restore the Secret; or, to let nodes trust another authority beside the lost one and then get certificates of it: ${command}`;
    return { type: 'fail', reason: reasons.authorityMissing, message };
  }
  const next = await newAuthority(context);
  const [certificate, ...former] = distributed(context);
  const set: AuthoritySet =
    certificate === undefined
      ? { signing: next, former: [] }
      : { signing: { certificate }, next, former };
  if (secret === undefined) return make(context, set);
  if (!(await write(context, secret, set))) return again;
  say(context, 'AuthorityRotation', notes.begin ?? '');
  note(context, set);
  return complete;
}

export async function provideAuthority(context: Context): Promise<TaskResult> {
  const { cluster, key, tools, signal } = context;
  const { name, namespace = '' } = authoritySecret(cluster, { annotations: {}, data: {} }).metadata;
  const at = { namespace, name };
  const secret = await tools.client.find<Secret>(resources.secrets, at, { signal });
  tools.poller.observed(key, { ...at, version: secret?.metadata.resourceVersion });
  const hash = remembered(context);
  if (secret === undefined) {
    if (hash === undefined) {
      return make(context, { signing: await newAuthority(context), former: [] });
    }
    const why = `Secret ${name} with the certificate authority is gone`;
    return replaceLost(context, { hash, why });
  }
  const refusal = refusalOf(secret, cluster);
  if (refusal?.type === 'foreign') {
    return { type: 'fail', reason: reasons.foreignObject, message: refusal.message };
  }
  if (refusal !== undefined) return { type: 'retry', message: refusal.message, afterMs: againMs };
  const stored = readAuthoritySet(secret);
  if (stored.type === 'set') return goOn(context, secret, stored.set);
  const why = `Secret ${name} with the certificate authority is damaged: ${stored.fault}`;
  return replaceLost(context, { hash: hash ?? 'unknown', why, secret });
}

/** What nodes read about whom to trust, and where they ask for certificates. */
export async function distributeTrust(context: Context): Promise<TaskResult> {
  const { authority, cluster, tools } = context;
  if (authority === undefined) return complete;
  const trust = { bundle: authority.bundle, endpoint: tools.signingEndpoint };
  return applyAll(context, [[resources.configMaps, authorityConfigMap(cluster, trust)]]);
}
