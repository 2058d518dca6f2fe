import { StatusWriter } from '../kubernetes/node-status.ts';
import type { StatusWriterOptions } from '../kubernetes/node-status.ts';
import type { Database } from '../database/database.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import { identityDirectory } from './identity.ts';
import { conditionOf } from './node-health.ts';
import type { Progress } from './progress.ts';
import type { Service } from './services.ts';

/** The node in the status of its own PhotonNode, when it runs in a pod. */
export function kubernetesStatusService(
  context: NodeContext,
  data: Pick<DataService, 'database' | 'id'>,
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
    status: (spec) => statusOf(context, data, spec),
  });
  return {
    name,
    start() {
      progress.onChange(() => writer.changed());
      void writer.run();
    },
    stop: () => writer.stop(),
  };
}

type Status = StatusWriterOptions['status'];

function statusOf(
  { config, version, progress, startedAt, clock }: NodeContext,
  { database, id }: Pick<DataService, 'database' | 'id'>,
  { generation, roles }: Parameters<Status>[0],
): ReturnType<Status> {
  const { state, message } = conditionOf(progress, database);
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
    replication: {
      groups: Object.keys(database?.state.tables ?? {}).length,
      maxLagEntries: 0,
    },
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
