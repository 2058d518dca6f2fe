/**
 * The verdict of each condition, from the outcome of a reconcile, from the nodes and from the Service for
 * clients. One judgement decides Ready, Reconciling and Stalled, so that they cannot contradict each
 * other: exactly one of them is True. Ready requires Available, and no trouble that Degraded reports. Pure.
 */
import type { ConditionType, Reason } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import type { NodeView, Trouble } from '../api/node-view.ts';
import type { AuthorityFacts } from './certificates.ts';
import { certificatesVerdict } from './certificates.ts';
import { isCurrent, isOutdated, replicaTrouble, reportsNow } from '../api/node-view.ts';

/** The outcome of a reconcile. */
export type Outcome =
  | { readonly type: 'complete' }
  /** Something has to happen first; the cluster comes again when it has. */
  | { readonly type: 'wait'; readonly message: string; readonly reason?: Reason }
  /** The user has to change something. */
  | { readonly type: 'fail'; readonly reason: Reason; readonly message: string };

export interface Observed {
  readonly outcome: Outcome;
  readonly nodes: readonly NodeView[];
  /** Why clients do not reach the nodes by their Service; undefined when they do. */
  readonly serviceFault?: string | undefined;
  /** The certificate authorities; undefined when they cannot be read. */
  readonly authority?: AuthorityFacts | undefined;
}

export interface Verdict {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

/** Whether the manifest is fulfilled, or who has to act. */
type Judgement =
  | { readonly type: 'fulfilled' }
  | { readonly type: 'working'; readonly reason: Reason; readonly message: string }
  | { readonly type: 'stuck'; readonly reason: Reason; readonly message: string };

function sentenceOf({ name, trouble }: NodeView): string {
  return `${name}: ${trouble?.message ?? 'no trouble is known'}`;
}

/** Nodes in trouble, permanent trouble first; an outdated pod is replaced in any case. */
function inTrouble(
  nodes: readonly NodeView[],
): readonly (NodeView & { readonly trouble: Trouble })[] {
  return nodes
    .filter((node): node is NodeView & { readonly trouble: Trouble } => node.trouble !== undefined)
    .filter((node) => !isOutdated(node))
    .toSorted((a, b) => Number(b.trouble.isCertain) - Number(a.trouble.isCertain));
}

/** A message of the reconcile, followed by the troubles that it does not contain. */
function withTroubles(message: string, nodes: readonly NodeView[]): string {
  const more = inTrouble(nodes).filter(({ trouble }) => !message.includes(trouble.message));
  return [message, ...more.map(sentenceOf)].join('; ');
}

/** It keeps its data and serves no clients: its pod runs and is not ready. */
function isQuarantined({ pod, report, isHeard }: NodeView): boolean {
  if (pod === undefined || pod.isTerminating || !isHeard) return false;
  return report?.health === 'Quarantined' && report.revision === pod.revision;
}

/** Damage that a node reports about itself. */
function sickness(node: NodeView): string | undefined {
  const { name, report } = node;
  // A damaged log does not heal when its process ends.
  if (report?.isLogCorrupt === true) {
    const detail = report.message === undefined ? '' : `: ${report.message}`;
    return `${name}: the log is corrupt${detail}; see docs/operations/troubleshooting.md`;
  }
  if (isQuarantined(node)) {
    return `${name} is quarantined: ${report?.message ?? 'the node reports no reason'}`;
  }
  if (!reportsNow(node) || report?.health !== 'Degraded') return undefined;
  return `${name}: ${report.message ?? 'the node reports that it is degraded'}`;
}

/** The status of a node that has just become ready may be stale. */
const settledMs = 30_000;

/** Nodes that serve, and that another one that serves does not see alive. */
function disconnections(nodes: readonly NodeView[]): readonly string[] {
  const serving = nodes.filter(
    (node) => reportsNow(node) && (node.pod?.unchangedMs ?? 0) > settledMs,
  );
  return serving.flatMap(({ name, report }) =>
    (report?.peers ?? []).flatMap(({ id, state, reason }) => {
      if (state !== 'Dead' && state !== 'Quarantined') return [];
      const other = serving.find((node) => node.report?.id === id);
      if (other === undefined) return [];
      const why = reason === undefined || reason === '' ? '' : `: ${reason}`;
      return [`${name} sees ${other.name} ${state.toLowerCase()}${why}`];
    }),
  );
}

const disconnectedHelp =
  'check the network between the pods at port 29015, TCP and UDP, and network policies';

function otherVersions(nodes: readonly NodeView[]): string | undefined {
  const others = nodes.filter(({ report, wantedVersion }) => report?.version !== wantedVersion);
  const [first] = others;
  if (first === undefined) return undefined;
  const runs = others.map(({ name, report }) => `${name} runs ${report?.version ?? 'no version'}`);
  return `spec.version is ${first.wantedVersion}, but ${runs.join(', ')}: spec.image names an image of another version; correct spec.version, or image.tag and image.digest`;
}

/** Replicas that are fewer than they are to be; an election, or the move of a replica, prevents nothing. */
function replicaSentence(node: NodeView): readonly string[] {
  const trouble = replicaTrouble(node);
  if (trouble === undefined || trouble.state === 'Settling') return [];
  return [`${node.name}: ${trouble.message ?? trouble.state}`];
}

/** All tasks are done: what is seen may still say otherwise. */
function judgeComplete({ nodes, serviceFault }: Observed): Judgement {
  const behind = nodes.flatMap(replicaSentence);
  if (behind.length > 0) {
    const message = `waiting for the replicas of tables: ${behind.join('; ')}`;
    return { type: 'working', reason: reasons.progressing, message };
  }
  const sick = nodes.map(sickness).find((words) => words !== undefined);
  if (sick !== undefined) return { type: 'stuck', reason: reasons.nodesUnhealthy, message: sick };
  const lacking = nodes.filter((node) => !isCurrent(node));
  if (lacking.length > 0) {
    const names = lacking.map(({ name }) => name).join(', ');
    const message = withTroubles(`waiting for ${names} to serve this generation`, nodes);
    return { type: 'working', reason: reasons.progressing, message };
  }
  const apart = disconnections(nodes);
  if (apart.length > 0) {
    return { type: 'working', reason: reasons.nodesDisconnected, message: apart.join('; ') };
  }
  const versions = otherVersions(nodes);
  if (versions !== undefined) {
    return { type: 'stuck', reason: reasons.versionMismatch, message: versions };
  }
  const { status, reason, message } = available(nodes, serviceFault);
  return status === 'True' ? { type: 'fulfilled' } : { type: 'working', reason, message };
}

function judge(observed: Observed): Judgement {
  const { outcome, nodes } = observed;
  if (outcome.type === 'fail') {
    const { reason } = outcome;
    return { type: 'stuck', reason, message: withTroubles(outcome.message, nodes) };
  }
  const [first] = inTrouble(nodes);
  if (first?.trouble.isCertain === true) {
    return { type: 'stuck', reason: first.trouble.reason, message: sentenceOf(first) };
  }
  const corrupt = nodes.find(({ report }) => report?.isLogCorrupt === true);
  if (corrupt !== undefined) {
    const message = sickness(corrupt) ?? '';
    return { type: 'stuck', reason: reasons.nodesUnhealthy, message };
  }
  if (outcome.type === 'complete') return judgeComplete(observed);
  const reason = first?.trouble.reason ?? outcome.reason ?? reasons.progressing;
  return { type: 'working', reason, message: withTroubles(outcome.message, nodes) };
}

function ready(judgement: Judgement, nodes: readonly NodeView[]): Verdict {
  if (judgement.type === 'fulfilled') {
    const message = `${nodes.length} of ${nodes.length} nodes serve as the manifest says`;
    return { status: 'True', reason: reasons.fulfilled, message };
  }
  return { status: 'False', reason: judgement.reason, message: judgement.message };
}

function reconciling(judgement: Judgement): Verdict {
  switch (judgement.type) {
    case 'fulfilled':
      return { status: 'False', reason: reasons.fulfilled, message: 'nothing is left to do' };
    case 'working':
      return { status: 'True', reason: reasons.progressing, message: judgement.message };
    case 'stuck': {
      const message = `manual action is needed: ${judgement.message}`;
      return { status: 'False', reason: reasons.stalled, message };
    }
  }
}

function stalled(judgement: Judgement): Verdict {
  switch (judgement.type) {
    case 'fulfilled':
      return { status: 'False', reason: reasons.fulfilled, message: 'nothing blocks the operator' };
    case 'working': {
      const message = `the operator continues: ${judgement.message}`;
      return { status: 'False', reason: reasons.progressing, message };
    }
    case 'stuck':
      return { status: 'True', reason: judgement.reason, message: judgement.message };
  }
}

const majorityHelp =
  'nodes that are lost for good are given up by a command, see "A majority of the nodes is lost for good" in docs/operations/troubleshooting.md';

function available(nodes: readonly NodeView[], serviceFault: string | undefined): Verdict {
  const keepers = nodes.filter(({ roles }) => roles.includes('data'));
  const serving = keepers.filter(({ pod }) => pod?.isReady === true && !pod.isTerminating);
  if (serving.length === 0) {
    const troubles = nodes.filter(({ trouble }) => trouble !== undefined).map(sentenceOf);
    const message = ['no node with data is ready', ...troubles].join('; ');
    return { status: 'False', reason: reasons.noNodeReady, message };
  }
  if (serving.every((node) => replicaTrouble(node)?.state === 'Unavailable')) {
    const message = [...serving.flatMap(replicaSentence), majorityHelp].join('; ');
    return { status: 'False', reason: reasons.majorityLost, message };
  }
  if (serviceFault !== undefined) {
    return { status: 'False', reason: reasons.serviceWrong, message: serviceFault };
  }
  const message = `${serving.length} of ${keepers.length} nodes with data are ready`;
  return { status: 'True', reason: reasons.serving, message };
}

function degraded(nodes: readonly NodeView[]): Verdict {
  const unknown = nodes.filter(({ isHeard }) => !isHeard);
  if (unknown.length > 0) {
    const names = unknown.map(({ name }) => name).join(', ');
    const message = `no report for three heartbeat periods: ${names}; check the machine of the pod, and the network between pods and the API server`;
    return { status: 'True', reason: reasons.nodesUnknown, message };
  }
  const sick = nodes.flatMap((node) => sickness(node) ?? []);
  if (sick.length > 0) {
    return { status: 'True', reason: reasons.nodesUnhealthy, message: sick.join('; ') };
  }
  const [first, ...others] = inTrouble(nodes).filter(({ trouble }) => trouble.isCertain);
  if (first !== undefined) {
    const message = [first, ...others].map(sentenceOf).join('; ');
    return { status: 'True', reason: first.trouble.reason, message };
  }
  const apart = disconnections(nodes);
  if (apart.length > 0) {
    const message = [...apart, disconnectedHelp].join('; ');
    return { status: 'True', reason: reasons.nodesDisconnected, message };
  }
  const silent = nodes.filter((node) => !reportsNow(node));
  if (silent.length > 0 || nodes.length === 0) {
    const names = silent.map(({ name }) => name).join(', ');
    const message = `known when the nodes are ready and report; not yet: ${names || 'any node'}`;
    return { status: 'Unknown', reason: reasons.nodesStarting, message };
  }
  const incidents = nodes.flatMap(({ name, pod }) =>
    pod?.incident === undefined ? [] : `${name} has recovered: ${pod.incident}`,
  );
  const message = ['no node reports trouble', ...incidents].join('; ');
  return { status: 'False', reason: reasons.nodesReady, message };
}

export function verdicts(observed: Observed): Readonly<Record<ConditionType, Verdict>> {
  const { nodes, serviceFault, authority } = observed;
  const judgement = judge(observed);
  return {
    Ready: ready(judgement, nodes),
    Available: available(nodes, serviceFault),
    Reconciling: reconciling(judgement),
    Stalled: stalled(judgement),
    Degraded: degraded(nodes),
    CertificatesExpiring: certificatesVerdict(authority, nodes),
  };
}
