import { passwordRefusal } from '../config/config.ts';
import { Expiry } from '../maintenance/expiry.ts';
import type { ScrubPlan } from '../maintenance/scrubber.ts';
import { backgroundService } from './background.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import type { DiskGate } from './disk-gate.ts';
import { readPasswordAgain } from './password-file.ts';
import { PasswordWatch } from './password-watch.ts';
import type { Service } from './services.ts';
import { settleAdmin } from './users.ts';

/** What a node does with its data on its own while it serves. */
const hourMs = 3_600_000;

export function createExpiry(
  { clock, logger }: NodeContext,
  data: Pick<DataService, 'opened'>,
  disk: DiskGate,
): Expiry {
  return new Expiry({
    tables: () => data.opened.expiringTables(),
    isRefused: () => disk.refusal('deletion') !== undefined,
    clock,
    delayed: (table, error) =>
      logger.warn('expired documents could not be deleted', { table, reason: error.message }),
  });
}

export function expiryService(context: NodeContext, expiry: Expiry): Service {
  return backgroundService(context, {
    name: 'expiry',
    run: (signal) => expiry.run(signal),
    isAwaited: true,
  });
}

/** Ends with the database. */
export function scrubService(context: NodeContext, data: Pick<DataService, 'opened'>): Service {
  const { logger, config } = context;
  const intervalMs = config['scrub-hours'] * hourMs;
  const passed: ScrubPlan['passed'] = (found) => {
    for (const { keyspace, what } of found) {
      logger.error('a scrub found damage', { keyspace, what });
    }
    logger.info('scrub completed', { ...data.opened.metrics().scrub });
  };
  return backgroundService(context, {
    name: 'scrub',
    run: () => (intervalMs === 0 ? undefined : data.opened.scrubAlways({ intervalMs, passed })),
    isAwaited: false,
  });
}

/** A Secret that is mounted changes in the running pod. */
export function passwordWatchService(
  context: NodeContext,
  data: Pick<DataService, 'users'>,
): Service {
  const { config, logger, password, clock, chance } = context;
  const path = config['admin-password-file'];
  return backgroundService(context, {
    name: 'password watch',
    run(signal) {
      if (path === '') return undefined;
      const watch = new PasswordWatch({
        clock,
        logger,
        initial: password,
        read: () => readPasswordAgain(path),
        refusalOf: (given) => passwordRefusal(config, given),
        settle: (given) => settleAdmin(data.users, given, chance),
      });
      return watch.run(signal);
    },
    isAwaited: false,
  });
}
