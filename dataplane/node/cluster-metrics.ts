import type { ClusterMetrics } from '../observability/cluster-metrics.ts';
import { validityOfText } from '../security/certificates.ts';
import type { MemberView } from '../membership/member-view.ts';
import type { MembershipService } from './membership-service.ts';

/** The metrics of the cluster as the node has them now; undefined before it is a member. */
export function clusterMetricsOf({
  membership,
  times,
}: MembershipService): ClusterMetrics | undefined {
  const { detector, traffic } = membership ?? {};
  if (membership === undefined || detector === undefined) return undefined;
  const { members, mesh, credentials } = membership;
  const states = Map.groupBy(members, ({ status }) => status);
  const count = (status: MemberView['status']) =>
    [status, states.get(status)?.length ?? 0] as const;
  return {
    members: new Map([
      count('alive'),
      count('suspect'),
      count('dead'),
      count('left'),
      count('quarantined'),
    ]),
    connected: mesh.peers.length,
    localHealth: detector.gossip.localHealth,
    probes: new Map(Object.entries(detector.gossip.probes)),
    messages: detector.sent,
    suspicions: detector.changes.get('suspect') ?? 0,
    deaths: detector.changes.get('dead') ?? 0,
    datagrams: traffic ?? { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, lost: 0 },
    framesRefused: membership.refusedFrames,
    connectionsRefused: membership.refusals.counts,
    requestsRefused: mesh.refusals.counts,
    certificateExpiresAt: validityOfText(credentials.certificate).notAfter,
    requests: times.all,
  };
}
