/** Clients with the tokens that pods really get: of a service account, bound to a pod or to nothing. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KubeClient } from '../../kube/client.ts';
import { resources } from '../../kube/object.ts';
import { controlPlaneConfig } from '../../kube/testing/control-plane.ts';

export interface Account {
  readonly namespace: string;
  readonly account: string;
  /** The pod that the token is bound to; a token without one belongs to no pod. */
  readonly pod?: string;
  readonly audience?: string;
}

/** A token as the kubelet projects it into a pod; without an audience it is for the API server. */
export async function tokenOfAccount(
  admin: KubeClient,
  { namespace, account, pod, audience }: Account,
): Promise<string> {
  const bound =
    pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      expirationSeconds: 600,
      ...(audience === undefined ? {} : { audiences: [audience] }),
      ...bound,
    },
  };
  const name = { namespace, name: account };
  const at = { resource: resources.serviceAccounts, name, subresource: 'token' };
  const answer = (await admin.createSubresource(at, request)) as {
    readonly status: { readonly token: string };
  };
  return answer.status.token;
}

export async function clientOfAccount(admin: KubeClient, account: Account): Promise<KubeClient> {
  const token = await tokenOfAccount(admin, account);
  const config = await controlPlaneConfig();
  const { ca } = await config.credentials();
  const credentials = async (): Promise<{ token: string; ca?: string }> => ({
    token,
    ...(ca === undefined ? {} : { ca }),
  });
  return new KubeClient({ ...config, credentials });
}

/** The token as it is when its time has passed, signed by the control plane's own key. */
export function expired(token: string): string {
  const folder = dirname(process.env['PHOTONDB_TEST_KUBECONFIG'] ?? '');
  const key = createPrivateKey(readFileSync(join(folder, 'pki', 'tls.key')));
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
    readonly iat: number;
  };
  const past = {
    ...claims,
    iat: claims.iat - 7_200,
    nbf: claims.iat - 7_200,
    exp: claims.iat - 60,
  };
  const signed = `${header}.${Buffer.from(JSON.stringify(past)).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
