import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { RefusedByApiServerError } from './errors.ts';

/**
 * Writes this pod's PhotonNode status: on change, else every minute with jitter. Never stands in the
 * way of serving: what fails is logged and tried again.
 */
interface NodeStatus {
  readonly [field: string]: unknown;
}

export interface StatusWriterOptions {
  readonly apiServer: string;
  /** Holds `token`, `ca.crt` and `namespace`; read again at each write, since tokens rotate. */
  readonly directory: string;
  readonly name: string;
  status(spec: { readonly generation: number; readonly roles: readonly string[] }): NodeStatus;
  failed(message: string): void;
}

const refreshMs = 60_000;
const retryMs = 2_000;
const requestMs = 10_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #stopping = new AbortController();
  #wake: () => void = () => undefined;
  #dirty = true;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The status may have changed. */
  changed(): void {
    this.#dirty = true;
    this.#wake();
  }

  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#dirty = false;
      const wrote = await this.#write();
      if (!this.#dirty || !wrote)
        await this.#pause(wrote ? refreshMs * (0.8 + Math.random() * 0.2) : retryMs);
    }
  }

  /** Writes a last time and ends. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#write();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #write(): Promise<boolean> {
    const { directory, apiServer, name } = this.#options;
    try {
      const [token, ca, namespace] = await Promise.all(
        ['token', 'ca.crt', 'namespace'].map((file) => readFile(`${directory}/${file}`, 'utf8')),
      );
      const agent = new Agent({
        connect: { ca: ca ?? '' },
        headersTimeout: requestMs,
        bodyTimeout: requestMs,
      });
      try {
        const url = `${apiServer}/apis/photondb.io/v1alpha1/namespaces/${namespace?.trim()}/photonnodes/${name}`;
        const authorization = `Bearer ${token?.trim()}`;
        const found = await request(url, { dispatcher: agent, headers: { authorization } });
        const object = (await found.body.json()) as {
          metadata?: { generation?: number };
          spec?: { roles?: string[] };
          message?: string;
        };
        if (found.statusCode !== 200)
          throw new RefusedByApiServerError(
            'reading the PhotonNode',
            found.statusCode,
            object.message ?? '',
          );
        const status = this.#options.status({
          generation: object.metadata?.generation ?? 0,
          roles: object.spec?.roles ?? [],
        });
        const answer = await request(`${url}/status`, {
          dispatcher: agent,
          method: 'PATCH',
          headers: { authorization, 'content-type': 'application/merge-patch+json' },
          body: JSON.stringify({ status }),
        });
        const text = await answer.body.text();
        if (answer.statusCode !== 200)
          throw new RefusedByApiServerError(
            'writing the status',
            answer.statusCode,
            text.slice(0, 300),
          );
        return true;
      } finally {
        await agent.close();
      }
    } catch (error) {
      this.#options.failed((error as Error).message);
      return false;
    }
  }
}
