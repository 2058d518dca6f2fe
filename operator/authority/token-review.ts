/**
 * Who presents a token: the API server says it (TokenReview), and only a token for this audience
 * that is bound to a pod which still exists counts.
 */
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { SigningRefusal } from './refusal.ts';

const tokenReviews: Resource = Object.freeze({
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
});

/** Of a projected token it is about a thousand. */
const tokenCharactersMax = 8_192;

interface User {
  readonly username?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly error?: string;
    readonly user?: User;
  };
}

/** The pod that a token is bound to. */
export interface ReviewedPod {
  readonly namespace: string;
  readonly account: string;
  readonly name: string;
  readonly uid: string;
}

const accountPattern = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Exactly one value: several would leave it to chance which one counts. */
function single(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 ? values[0] : undefined;
}

export function podOf({ status }: TokenReview, audience: string): ReviewedPod {
  const { audiences = [], user } = status ?? {};
  if (status?.authenticated !== true || !audiences.includes(audience)) {
    const detail = status?.error ? `: ${status.error}` : '';
    throw new SigningRefusal(
      'unauthenticated',
      `the API server does not accept the token for the audience ${audience}${detail}`,
    );
  }
  return boundPod(user);
}

function boundPod(user: User | undefined): ReviewedPod {
  const [, namespace, account] = accountPattern.exec(user?.username ?? '') ?? [];
  const name = single(user?.extra?.['authentication.kubernetes.io/pod-name']);
  const uid = single(user?.extra?.['authentication.kubernetes.io/pod-uid']);
  if (namespace === undefined || account === undefined) {
    throw new SigningRefusal('forbidden', 'the token is not of a ServiceAccount');
  }
  if (name === undefined || uid === undefined) {
    throw new SigningRefusal(
      'forbidden',
      'the token is bound to no pod: use the token that is projected into the pod',
    );
  }
  return { namespace, account, name, uid };
}

export async function reviewToken(
  client: KubeClient,
  { token, audience }: { readonly token: string; readonly audience: string },
  signal?: AbortSignal,
): Promise<ReviewedPod> {
  if (token === '' || token.length > tokenCharactersMax) {
    throw new SigningRefusal('unauthenticated', 'the request carries no usable bearer token');
  }
  const review = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    metadata: {},
    spec: { token, audiences: [audience] },
  } as unknown as KubeObject;
  try {
    const answer = await client.create<TokenReview>(tokenReviews, review, { signal });
    return podOf(answer, audience);
  } catch (error) {
    if (!isKubeError(error)) throw error;
    const message = `the API server does not review the token: ${error.message}`;
    throw new SigningRefusal('unavailable', message, { cause: error });
  }
}
