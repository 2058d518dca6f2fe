/** Clients with the tokens that pods really get: of a service account, bound to a pod or to nothing. */
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
