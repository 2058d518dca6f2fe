import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  chownSync,
  constants,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import type { Login } from './postgres-connection.ts';
import type { Address } from './raw-connection.ts';

/** A PostgreSQL server of the benchmark's own, from Debian's package, in a temporary directory. */
const debianFolder = '/usr/lib/postgresql';
const programs = ['initdb', 'postgres'] as const;
const serviceUsers = ['postgres', 'nobody'] as const;
const readyDeadlineMs = 60_000;
const stopDeadlineMs = 30_000;
const logMax = 65_536;

export interface Installed {
  readonly version: string;
  /** The folder with `initdb` and `postgres`. */
  readonly bin: string;
}

export const absentText =
  'PostgreSQL is left out: its server is not installed. Install it with: apt-get install postgresql';

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The newest server that Debian's packages installed. */
export function findPostgres(folder = debianFolder): Installed | undefined {
  let versions: string[];
  try {
    versions = readdirSync(folder).filter((name) => /^\d+(\.\d+)?$/.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => ({ version, bin: join(folder, version, 'bin') }))
    .find(({ bin }) => programs.every((program) => isExecutable(join(bin, program))));
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom the server runs as, since PostgreSQL refuses root: undefined is the user who runs the benchmark. */
export function ownerOf(uid: number | undefined, passwd: string): Owner | undefined {
  if (uid !== 0) return undefined;
  const lines = passwd.split('\n').map((line) => line.split(':'));
  for (const user of serviceUsers) {
    const [, , userId = '', groupId = ''] = lines.find(([name]) => name === user) ?? [];
    if (/^[1-9]\d*$/.test(userId) && /^\d+$/.test(groupId))
      return { uid: Number(userId), gid: Number(groupId) };
  }
  throw new Error(
    `PostgreSQL refuses to run as root, and there is no user ${serviceUsers.join(' or ')} to run it as: ` +
      'run the benchmark as another user',
  );
}

export interface RunningPostgres {
  readonly version: string;
  readonly directory: string;
  readonly address: Address;
  readonly login: Login;
  readonly stop: () => Promise<void>;
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Resolves when the process says `ready`, or without it when it ends well; rejects with its output when it ends in any
 * other way or is late.
 */
async function until(child: ChildProcess, ready?: string): Promise<void> {
  let log = '';
  const done = Promise.withResolvers<void>();
  const late = setTimeout(() => {
    done.reject(new Error(`PostgreSQL was not ready within ${readyDeadlineMs} ms:\n${log}`));
  }, readyDeadlineMs);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-logMax);
      if (ready !== undefined && log.includes(ready)) done.resolve();
    });
  }
  child.on('error', done.reject);
  child.on('close', (code) => {
    if (code === 0 && ready === undefined) done.resolve();
    else done.reject(new Error(`PostgreSQL ended with code ${String(code)}:\n${log}`));
  });
  await done.promise.finally(() => clearTimeout(late));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  // Fast shutdown, which does not wait for clients; then an immediate one.
  child.kill('SIGINT');
  const late = setTimeout(() => child.kill('SIGQUIT'), stopDeadlineMs);
  await exit;
  clearTimeout(late);
}

/** The settings that make writes durable are PostgreSQL's defaults, and explicit here. */
const settings = (host: string, port: number, connections: number): string[] => [
  `listen_addresses=${host}`,
  `port=${port}`,
  'unix_socket_directories=',
  `max_connections=${connections + 10}`,
  'fsync=on',
  'full_page_writes=on',
  'synchronous_commit=on',
];

export async function startPostgres(
  { version, bin }: Installed,
  connections: number,
): Promise<RunningPostgres> {
  const owner = ownerOf(process.getuid?.(), readFileSync('/etc/passwd', 'utf8'));
  const directory = temporaryDirectory();
  const login = { user: 'bench', password: randomBytes(18).toString('hex'), database: 'postgres' };
  const passwordFile = join(directory, 'password');
  const data = join(directory, 'data');
  const options: SpawnOptions = {
    ...owner,
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  let running: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    if (running !== undefined) await stop(running);
    removeDirectory(directory);
  };
  try {
    writeFileSync(passwordFile, login.password, { mode: 0o600 });
    if (owner !== undefined)
      for (const path of [directory, passwordFile]) chownSync(path, owner.uid, owner.gid);
    // The order of keys is that of their bytes, as in ReQL.
    const flags = ['--locale=C', '--encoding=UTF8', '--auth=scram-sha-256'];
    const names = [`--username=${login.user}`, `--pwfile=${passwordFile}`, `--pgdata=${data}`];
    running = spawn(join(bin, 'initdb'), [...flags, ...names], options);
    await until(running);
    const address = { host: '127.0.0.1', port: await freePort('127.0.0.1') };
    const chosen = settings(address.host, address.port, connections);
    const args = ['-D', data, ...chosen.flatMap((setting) => ['-c', setting])];
    running = spawn(join(bin, 'postgres'), args, options);
    await until(running, 'ready to accept connections');
    return { version, directory, address, login, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}
