import { resolve } from 'node:path';
import { PhotonError } from '../common/errors.ts';
import { createLogger } from '../observability/logger.ts';
import type { Logger } from '../observability/logger.ts';
import { exitCode } from './exit-code.ts';
import { guideText } from './guide.ts';
import { Node } from './node.ts';
import type { NodeOptions } from './context.ts';
import { machineChance } from './chance.ts';
import { machineClock } from './clock.ts';

/** Runs a node until a signal or a failure ends the process. */
export type RunOptions = Omit<NodeOptions, 'logger' | 'clock' | 'chance'>;

/** npm forwards a Ctrl-C that the terminal has already sent to the program. */
const samePressMs = 300;

const isForPeople = process.stderr.isTTY;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function fail(error: unknown): void {
  const text =
    error instanceof PhotonError ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(`${text}\n`, () => process.exit(exitCode.failed));
}

export async function run(options: RunOptions): Promise<void> {
  const { config, shares, version, password, apiServer } = options;
  const logger = createLogger(config['log-level'], { node: config['node-name'] }, isForPeople);
  logger.debug('the configuration', config);
  if (shares.driverConnections < config['connections-max']) {
    logger.warn(
      'the limit of open files (ulimit -n) allows fewer driver connections than configured',
      {
        connectionsMax: config['connections-max'],
        allowed: shares.driverConnections,
      },
    );
  }
  const node = new Node({ ...options, logger, clock: machineClock, chance: machineChance });
  const stopping = stopAtSignals(node, logger);
  void node.failed.then((error) => {
    logger.error('fatal error: the node stops', { error: error.message });
    process.exit(exitCode.failed);
  });
  let ready: Awaited<ReturnType<Node['start']>>;
  try {
    ready = await node.start();
  } catch (error) {
    // A start that was interrupted ends in whatever its parts say to that.
    if (stopping.aborted) return;
    throw error;
  }
  process.stdout.write(`${ready.line}\n`);
  if (apiServer !== undefined) return;
  const dataDirectory = resolve(config['data-dir']);
  const { driver, web } = ready;
  say(guideText({ version, driver, web, dataDirectory, hasPassword: password !== '' }));
}

/** Aborted as soon as the node receives a signal to stop. */
function stopAtSignals(node: Node, logger: Logger): AbortSignal {
  const stopping = new AbortController();
  let interruptedAt: number | undefined;
  const stop = (): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    node.stop().then(() => process.exit(exitCode.stopped), fail);
  };
  process.on('SIGTERM', () => {
    logger.info('stopping: received SIGTERM', { running: node.running });
    stop();
  });
  process.on('SIGINT', () => {
    const now = machineClock.now();
    if (interruptedAt === undefined) {
      interruptedAt = now;
      const { running } = node;
      const queries =
        running === 0 ? '' : `: ${running} queries are being answered, for 10 s at most`;
      say(`\nStopping${queries}. Ctrl-C once more ends the node at once.`);
      stop();
    } else if (now - interruptedAt > samePressMs) {
      say('\nEnded at once. The next start recovers from the log.');
      process.exit(exitCode.interrupted);
    }
  });
  return stopping.signal;
}
