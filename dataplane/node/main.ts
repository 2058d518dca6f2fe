import { readFileSync } from 'node:fs';
import { PhotonError } from '../common/errors.ts';
import { checkPassword, ConfigError, loadConfig } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { helpText } from '../config/help.ts';
import { isLoopback } from '../config/loopback.ts';
import { protocolLimits } from '../driver-protocol/limits.ts';
import { HttpPort } from '../http/http-port.ts';
import { httpLimits } from '../http/limits.ts';
import type { HostNames } from '../http/request-rules.ts';
import { listedNodesAt } from '../kubernetes/nodes-file.ts';
import { descriptorLimit, shareDescriptors } from './descriptors.ts';
import { exitCode } from './exit-code.ts';
import { identityDirectory } from './identity.ts';
import { listen } from './listen.ts';
import { readPassword } from './password-file.ts';
import type { HealthPort } from './context.ts';
import type { RunOptions } from './run.ts';

/**
 * The data plane's process: the only place that reads arguments and environment. It loads little, so that
 * the health port listens before the rest of the program is loaded.
 */
function versionOf(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function apiServerOf({
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
}: NodeJS.ProcessEnv): string | undefined {
  if (host === undefined) return undefined;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port ?? '443'}`;
}

/** In a pod the operator says which roles the node has: pods of different roles share one configuration. */
function withRolesOfPod(config: Config): Config {
  const nodes = listedNodesAt(identityDirectory);
  const roles = nodes.find(({ name }) => name === config['node-name'])?.roles;
  return roles === undefined ? config : Object.freeze({ ...config, roles });
}

/** A node on a loopback address may have no password, so the `Host` of requests is checked. */
const hostsOf = (config: Config): HostNames =>
  isLoopback(config.bind) ? config['web-hosts'] : 'any';

async function listenHealth(config: Config, connectionsMax: number): Promise<HealthPort> {
  const port = new HttpPort({
    limits: { ...httpLimits, connectionsMax },
    hosts: hostsOf(config),
  });
  const address = await listen(port.tcp, {
    host: config.bind,
    port: config['http-port'],
    what: 'health and metrics',
    option: 'http-port',
  });
  return { port, address };
}

async function main(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const version = versionOf();
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${helpText()}\n`);
    return;
  }
  if (args.includes('--version')) {
    process.stdout.write(`PhotonDB ${version}\n`);
    return;
  }
  const apiServer = apiServerOf(environment);
  const loaded = loadConfig({
    flags: args,
    environment,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const config = apiServer === undefined ? loaded : withRolesOfPod(loaded);
  const password = readPassword(config['admin-password-file']);
  checkPassword(config, password);
  const shares = shareDescriptors(descriptorLimit(), {
    driverConnections: config['connections-max'],
    httpConnections: httpLimits.connectionsMax,
    refusing: protocolLimits.refusingMax,
  });
  // Nothing is open yet that would have to be closed.
  const end = (): void => process.exit(exitCode.stopped);
  process.on('SIGTERM', end).on('SIGINT', end);
  const health = await listenHealth(config, shares.httpConnections);
  const options: RunOptions = {
    config,
    password,
    version,
    shares,
    health,
    hosts: hostsOf(config),
    apiServer,
    argv: process.argv,
  };
  const { run } = await import('./run.ts');
  process.off('SIGTERM', end).off('SIGINT', end);
  await run(options);
}

function refuse(error: unknown): void {
  const text =
    error instanceof PhotonError ? error.message : String((error as Error).stack ?? error);
  const code = error instanceof ConfigError ? exitCode.configuration : exitCode.failed;
  process.stderr.write(`${text}\n`, () => process.exit(code));
}

await main(process.argv.slice(2), process.env).catch(refuse);
