import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { RefusedByApiServerError } from './errors.ts';

export interface OwnNodeOptions {
  readonly apiServer: string;
  /** Holds `token`, `ca.crt` and `namespace`; read again at each request, since tokens rotate. */
  readonly directory: string;
  readonly name: string;
}

/** As far as a node reads it. */
export interface PhotonNode {
  readonly metadata?: { readonly generation?: number };
  readonly spec?: {
    readonly roles?: readonly string[];
    /** The identity that this node has had. */
    readonly id?: string;
    /** Identities whose data was given up. */
    readonly acceptedLosses?: readonly string[];
    /** The cluster that this node joins. */
    readonly clusterId?: string;
    /** True for the one node that founds the cluster. */
    readonly founder?: boolean;
    /** Certificate authorities that this node may trust, by their hash. */
    readonly authorities?: readonly string[];
  };
  readonly status?: { readonly id?: string };
}

const requestMs = 10_000;
const refusalLengthMax = 300;

/** The PhotonNode of this pod, read and reported to with the token that is bound to the pod. */
export class OwnNode {
  readonly #options: OwnNodeOptions;

  constructor(options: OwnNodeOptions) {
    this.#options = options;
  }

  async read(): Promise<PhotonNode> {
    return JSON.parse(await this.#send('reading the PhotonNode', '')) as PhotonNode;
  }

  /** A field that is null is taken away; one that is left out stays. */
  async report(status: object): Promise<void> {
    await this.#send('writing the status', '/status', { status });
  }

  async #send(attempt: string, subresource: string, patch?: object): Promise<string> {
    const { directory, apiServer, name } = this.#options;
    const [token = '', ca = '', namespace = ''] = await Promise.all(
      ['token', 'ca.crt', 'namespace'].map((file) => readFile(`${directory}/${file}`, 'utf8')),
    );
    const agent = new Agent({ connect: { ca }, headersTimeout: requestMs, bodyTimeout: requestMs });
    try {
      const path = `/apis/photondb.io/v1alpha1/namespaces/${namespace.trim()}/photonnodes/${name}`;
      const authorization = `Bearer ${token.trim()}`;
      const { statusCode, body } = await request(`${apiServer}${path}${subresource}`, {
        dispatcher: agent,
        ...(patch === undefined
          ? { headers: { authorization } }
          : {
              method: 'PATCH',
              headers: { authorization, 'content-type': 'application/merge-patch+json' },
              body: JSON.stringify(patch),
            }),
      });
      const text = await body.text();
      if (statusCode === 200) return text;
      throw new RefusedByApiServerError(attempt, statusCode, text.slice(0, refusalLengthMax));
    } finally {
      await agent.close();
    }
  }
}
