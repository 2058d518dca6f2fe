/**
 * How to reach an API server, and as whom: from the pod's service account, or from a kubeconfig
 * file. Files are read again at each call of `credentials`, since tokens and certificates rotate
 * under a running process; nothing here keeps a secret longer than its caller does.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { KubeError } from './errors.ts';

/** PEM texts and a bearer token, as they are on disk now. */
export interface Credentials {
  readonly token?: string;
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

export interface KubeConfig {
  /** Scheme, host, port and base path, without a slash at the end. */
  readonly server: string;
  /** The namespace of the service account, or of the context. */
  readonly namespace: string;
  /** The name expected in the server's certificate, when it is not the host of `server`. */
  readonly serverName?: string;
  /** The user's kubeconfig asks not to check the server's certificate. */
  readonly insecure: boolean;
  credentials(): Promise<Credentials>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** No token, certificate or kubeconfig comes near this; a wrong path might. */
const fileBytesMax = 4 * 1024 * 1024;

function configError(message: string, cause?: unknown): KubeError {
  return new KubeError('kube.config', message, { cause });
}

async function readText(path: string, what: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > fileBytesMax) throw new Error(`it has ${size} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw configError(`cannot read ${what} ${path}: ${reason}`, error);
  }
}

async function readToken(path: string): Promise<string> {
  const token = (await readText(path, 'the token')).trim();
  if (token === '') throw configError(`the token file ${path} is empty`);
  return token;
}

/** The configuration of a pod: the environment names the server, a volume holds the rest. */
export async function inClusterConfig(
  environment: Environment,
  directory = serviceAccountDirectory,
): Promise<KubeConfig> {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '') {
    throw configError('not in a pod: the variable KUBERNETES_SERVICE_HOST is not set');
  }
  const namespace = (await readText(join(directory, 'namespace'), 'the namespace')).trim();
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace,
    insecure: false,
    async credentials() {
      const token = await readToken(join(directory, 'token'));
      const ca = await readText(join(directory, 'ca.crt'), 'the authority');
      return { token, ca };
    },
  };
}

interface NamedCluster {
  readonly name: string;
  readonly cluster?: {
    readonly server?: string;
    readonly 'certificate-authority'?: string;
    readonly 'certificate-authority-data'?: string;
    readonly 'insecure-skip-tls-verify'?: boolean;
    readonly 'tls-server-name'?: string;
    readonly 'proxy-url'?: string;
  };
}

interface NamedUser {
  readonly name: string;
  readonly user?: {
    readonly token?: string;
    readonly tokenFile?: string;
    readonly 'client-certificate'?: string;
    readonly 'client-certificate-data'?: string;
    readonly 'client-key'?: string;
    readonly 'client-key-data'?: string;
    readonly exec?: unknown;
    readonly 'auth-provider'?: unknown;
    readonly username?: string;
  };
}

interface NamedContext {
  readonly name: string;
  readonly context?: {
    readonly cluster?: string;
    readonly user?: string;
    readonly namespace?: string;
  };
}

interface KubeconfigFile {
  readonly 'current-context'?: string;
  readonly clusters?: readonly NamedCluster[];
  readonly users?: readonly NamedUser[];
  readonly contexts?: readonly NamedContext[];
}

interface Chosen {
  readonly cluster: NonNullable<NamedCluster['cluster']>;
  readonly user: NonNullable<NamedUser['user']>;
  readonly namespace: string;
}

function named<T extends { readonly name: string }>(
  entries: readonly T[] | undefined,
  name: string,
  what: string,
): T {
  const found = Array.isArray(entries) ? entries.find((entry) => entry.name === name) : undefined;
  if (found === undefined) throw configError(`the kubeconfig has no ${what} named "${name}"`);
  return found;
}

function choose(file: KubeconfigFile, contextName: string | undefined): Chosen {
  const name = contextName ?? file['current-context'];
  if (name === undefined || name === '') {
    throw configError('the kubeconfig has no current-context: name a context');
  }
  const context = named(file.contexts, name, 'context').context ?? {};
  const cluster = named(file.clusters, context.cluster ?? '', 'cluster').cluster ?? {};
  const user =
    context.user === undefined ? {} : (named(file.users, context.user, 'user').user ?? {});
  if (cluster['proxy-url'] !== undefined) {
    throw configError(`context "${name}" uses proxy-url, which is not supported`);
  }
  if (user.exec !== undefined || user['auth-provider'] !== undefined) {
    throw configError(
      `context "${name}" gets its credentials from a plug-in, which is not supported: use a token or a client certificate`,
    );
  }
  if (user.username !== undefined) {
    throw configError(`context "${name}" uses a user name and password, which is not supported`);
  }
  return { cluster, user, namespace: context.namespace ?? 'default' };
}

/** Embedded base64 wins over a file, as in kubectl; paths are relative to the kubeconfig. */
async function pem(
  data: string | undefined,
  path: string | undefined,
  directory: string,
): Promise<string | undefined> {
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  if (path === undefined) return undefined;
  return readText(isAbsolute(path) ? path : join(directory, path), 'the certificate');
}

async function fileCredentials({ cluster, user }: Chosen, directory: string): Promise<Credentials> {
  const tokenPath = user.tokenFile;
  const token =
    tokenPath === undefined
      ? user.token
      : await readToken(isAbsolute(tokenPath) ? tokenPath : join(directory, tokenPath));
  const ca = await pem(
    cluster['certificate-authority-data'],
    cluster['certificate-authority'],
    directory,
  );
  const certificate = await pem(
    user['client-certificate-data'],
    user['client-certificate'],
    directory,
  );
  const key = await pem(user['client-key-data'], user['client-key'], directory);
  return {
    ...(token === undefined ? {} : { token }),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** The configuration of one context of a kubeconfig file; without a name, of the current one. */
export async function kubeconfigFile(path: string, context?: string): Promise<KubeConfig> {
  const text = await readText(path, 'the kubeconfig');
  // Only here: a pod needs no YAML, and the parser takes 9 MB of memory.
  const { parse } = await import('yaml');
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    throw configError(`the kubeconfig ${path} is not YAML`, error);
  }
  if (typeof file !== 'object' || file === null) {
    throw configError(`the kubeconfig ${path} is not a mapping`);
  }
  const chosen = choose(file, context);
  const { server } = chosen.cluster;
  if (server === undefined || !URL.canParse(server) || !/^https?:/.test(server)) {
    throw configError(`the kubeconfig ${path} has no valid server URL: ${String(server)}`);
  }
  const serverName = chosen.cluster['tls-server-name'];
  return {
    server: server.replace(/\/+$/, ''),
    namespace: chosen.namespace,
    ...(serverName === undefined ? {} : { serverName }),
    insecure: chosen.cluster['insecure-skip-tls-verify'] === true,
    credentials: () => fileCredentials(chosen, dirname(path)),
  };
}

/** A kubeconfig file when one is named, else the pod's service account. */
export function loadKubeConfig(options: {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly environment: Environment;
}): Promise<KubeConfig> {
  return options.kubeconfig === undefined
    ? inClusterConfig(options.environment)
    : kubeconfigFile(options.kubeconfig, options.context);
}
