import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../host/files.ts';
import { mustRun, words } from '../host/run.ts';
import type { Layout } from './layout.ts';

/**
 * Who is who in the cluster. One self-signed certificate serves the API, signs the service accounts'
 * tokens and the certificate requests; users have random tokens. Authorisation (Node, RBAC) is real.
 */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
  readonly tokensFile: string;
  /** The kubeconfig of `admin`, who may do everything. */
  readonly kubeconfig: string;
}

const days = 3650;

/** The users that are not nodes: name, user name in Kubernetes, groups. */
const users = [
  ['admin', 'admin', 'system:masters'],
  ['controller-manager', 'system:kube-controller-manager', ''],
  ['scheduler', 'system:kube-scheduler', ''],
  ['proxy', 'system:kube-proxy', ''],
] as const;

export const kubeconfigOf = (layout: Layout, user: string): string =>
  user === 'admin'
    ? join(layout.directory, 'kubeconfig')
    : join(layout.directory, 'pki', `${user}.kubeconfig`);

export async function ensureCredentials(
  layout: Layout,
  nodes: readonly string[],
): Promise<Credentials> {
  const folder = join(layout.directory, 'pki');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const certificate = join(folder, 'tls.crt');
  const key = join(folder, 'tls.key');
  if (!existsSync(certificate)) await makeCertificate(layout, certificate, key);
  const tokensFile = join(folder, 'tokens.csv');
  const known = readTokens(tokensFile);
  const wanted = [
    ...users,
    ...nodes.map((name) => [name, `system:node:${name}`, 'system:nodes'] as const),
  ].map(([name, user, groups]) => ({
    name,
    user,
    groups,
    token: known.get(user) ?? randomBytes(16).toString('hex'),
  }));
  const lines = wanted.map(({ name, user, groups, token }) => `${token},${user},${name},${groups}`);
  writeFileSync(tokensFile, `${lines.join('\n')}\n`, { mode: 0o600 });
  for (const { name, token } of wanted) {
    writeFileSync(kubeconfigOf(layout, name), kubeconfigText(layout, certificate, token), {
      mode: 0o600,
    });
  }
  return { certificate, key, tokensFile, kubeconfig: kubeconfigOf(layout, 'admin') };
}

function readTokens(file: string): Map<string, string> {
  const lines = (readIfThere(file) ?? '').split('\n').map((line) => line.split(','));
  return new Map(lines.map(([token = '', user = '']) => [user, token]));
}

async function makeCertificate(layout: Layout, certificate: string, key: string): Promise<void> {
  const names = [
    ...['127.0.0.1', layout.api, layout.network.apiService].map((address) => `IP:${address}`),
    ...['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(
      (name) => `DNS:${name}`,
    ),
    'DNS:kubernetes.default.svc.cluster.local',
  ];
  await mustRun(
    words`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days ${days}
      -keyout ${key} -out ${certificate}.new -subj /CN=photondb-local-${layout.instance}
      -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign
      -addext subjectAltName=${names.join(',')}`,
  );
  renameSync(`${certificate}.new`, certificate); // Last: when it is there, the key is too.
}

function kubeconfigText(layout: Layout, certificate: string, token: string): string {
  const name = `photondb-local-${layout.instance}`;
  return `apiVersion: v1
kind: Config
current-context: ${name}
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]
clusters: [{name: ${name}, cluster: {server: "https://${layout.api}:6443", certificate-authority: ${certificate}}}]
users: [{name: ${name}, user: {token: ${token}}}]
`;
}
