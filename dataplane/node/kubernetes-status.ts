import { StatusWriter } from '../kubernetes/node-status.ts';
import type { StatusWriterOptions } from '../kubernetes/node-status.ts';
import type { Database } from '../database/database.ts';
import type { Membership } from '../membership/membership.ts';
import { authorityHash, authorityOf, validityOfText } from '../security/certificates.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import { identityDirectory } from './identity.ts';
import type { MembershipService } from './membership-service.ts';
import { conditionOf } from './node-health.ts';
import type { Progress } from './progress.ts';
import type { Service } from './services.ts';

/** The node in the status of its own PhotonNode, when it runs in a pod. */
export function kubernetesStatusService(
  context: NodeContext,
  data: Pick<DataService, 'database' | 'id' | 'onReplicas' | 'replication'>,
  membership: Pick<MembershipService, 'membership' | 'onChange'>,
): Service {
  const { apiServer, config, logger, progress, clock, chance } = context;
  const name = 'status in Kubernetes';
  if (apiServer === undefined) return { name };
  const writer = new StatusWriter({
    apiServer,
    directory: identityDirectory,
    name: config['node-name'],
    clock,
    chance,
    failed: (message) => logger.warn('the status of this node could not be written', { message }),
    status: (spec) => ({
      ...statusOf(context, { data, membership: membership.membership }, spec),
      ...clusterStatusOf(membership.membership),
    }),
  });
  return {
    name,
    start() {
      progress.onChange(() => writer.changed());
      membership.onChange(() => writer.changed());
      data.onReplicas(() => writer.changed());
      void writer.run();
    },
    stop: () => writer.stop(),
  };
}

const peersMax = 64;
const reasonMax = 256;
const summaryOrder = ['alive', 'suspect', 'dead', 'left', 'quarantined'] as const;

/** Capital first, as Kubernetes writes states. */
const stateOf = (status: string): string => `${status.slice(0, 1).toUpperCase()}${status.slice(1)}`;

/** The cluster as this node sees it; nothing before it belongs to one. */
function clusterStatusOf(membership: Membership | undefined): object {
  if (membership === undefined) return {};
  const { credentials, renewal, members, clusterId } = membership;
  const { notBefore, notAfter } = validityOfText(credentials.certificate);
  const issuer = authorityOf(credentials.certificate, credentials.authorities);
  const others = members.filter(({ isSelf }) => !isSelf);
  const counts = summaryOrder.flatMap((status) => {
    const { length } = others.filter((member) => member.status === status);
    return length === 0 ? [] : `${length} ${status}`;
  });
  return {
    clusterId,
    authorities: credentials.authorities.map(authorityHash),
    certificate: {
      authority: issuer === undefined ? null : authorityHash(issuer),
      notBefore: new Date(notBefore).toISOString(),
      notAfter: new Date(notAfter).toISOString(),
      message: renewal.failure ?? null,
    },
    peerSummary: counts.join(', '),
    peers: others.slice(0, peersMax).map(({ id, name, status, reason }) => ({
      id,
      name,
      state: stateOf(status),
      ...(status === 'alive' ? {} : { reason: reason.slice(0, reasonMax) }),
    })),
  };
}

type Status = StatusWriterOptions['status'];

interface StatusParts {
  readonly data: Pick<DataService, 'database' | 'id' | 'replication'>;
  readonly membership: Membership | undefined;
}

function statusOf(
  { config, version, progress, startedAt, clock }: NodeContext,
  { data: { database, id, replication }, membership }: StatusParts,
  { generation, roles }: Parameters<Status>[0],
): ReturnType<Status> {
  const { state, message } = conditionOf(progress, database, membership, replication?.trouble);
  const { doneBytes, totalBytes } = progress.replay;
  return {
    observedGeneration: generation,
    health: state,
    message,
    roles,
    version,
    revision: config.revision,
    id,
    missingId: progress.missingId ?? null,
    startedAt: startedAt.toISOString(),
    heartbeatAt: new Date(clock.timeOfDay()).toISOString(),
    wal: { state: logState(progress, database), replayedBytes: doneBytes, totalBytes },
    ...(replication === undefined
      ? {}
      : { replication: { ...replication.standing, ...replication.figures } }),
  };
}

function logState(
  { state }: Progress,
  database: Database | undefined,
): 'Recovering' | 'Corrupt' | 'Ok' {
  if (state === 'Starting') return 'Recovering';
  const damaged = database?.corruption.tables() ?? [];
  return damaged.some(({ damage }) => damage.code === 'wal.corrupt') ? 'Corrupt' : 'Ok';
}
