import { readFileSync } from 'node:fs';
import { checkPassword, ConfigError, loadConfig } from '../config/config.ts';
import { helpText } from '../config/help.ts';
import { PhotonError } from '../common/errors.ts';
import { createLogger } from '../observability/logger.ts';
import { Node } from './node.ts';

/** The data plane's process: the only place that reads arguments, environment and signals. */
const exitCode = { stopped: 0, failed: 1, configuration: 2 } as const;

function passwordOf(path: string): string {
  if (path === '') return '';
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new ConfigError(`The password file ${path} cannot be read: ${(error as Error).message}`);
  }
}

function versionOf(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${helpText()}\n`);
    return;
  }
  const config = loadConfig({
    flags: process.argv.slice(2),
    environment: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const password = passwordOf(config['admin-password-file']);
  checkPassword(config, password);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const apiServer =
    host === undefined
      ? undefined
      : `https://${host.includes(':') ? `[${host}]` : host}:${port ?? '443'}`;
  const logger = createLogger(config['log-level'], { node: config['node-name'] });
  const node = new Node({
    config,
    password,
    version: versionOf(),
    logger,
    apiServer,
    argv: process.argv,
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    node.stop().then(
      () => process.exit(exitCode.stopped),
      (error: unknown) => refuse(error, exitCode.failed),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  void node.failed.then((error) => {
    logger.error('the node cannot go on', { error: error.message });
    process.exit(exitCode.failed);
  });
  const line = await node.start();
  process.stdout.write(`${line}\n`);
}

function refuse(error: unknown, code: number): void {
  const text =
    error instanceof PhotonError ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(`${text}\n`, () => process.exit(code));
}

await main().catch((error: unknown) =>
  refuse(error, error instanceof ConfigError ? exitCode.configuration : exitCode.failed),
);
