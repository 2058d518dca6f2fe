import { OwnNode } from './own-node.ts';
import type { OwnNodeOptions } from './own-node.ts';

/**
 * Writes this pod's PhotonNode status: on change, else every minute with jitter. Never stands in the
 * way of serving: what fails is logged and tried again.
 */
interface NodeStatus {
  readonly [field: string]: unknown;
}

export interface StatusWriterOptions extends OwnNodeOptions {
  status(spec: { readonly generation: number; readonly roles: readonly string[] }): NodeStatus;
  failed(message: string): void;
}

const refreshMs = 60_000;
const retryMs = 2_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #node: OwnNode;
  readonly #stopping = new AbortController();
  #wake: () => void = () => undefined;
  #dirty = true;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#node = new OwnNode(options);
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
    try {
      const { metadata, spec } = await this.#node.read();
      const { generation = 0 } = metadata ?? {};
      await this.#node.report(this.#options.status({ generation, roles: spec?.roles ?? [] }));
      return true;
    } catch (error) {
      this.#options.failed((error as Error).message);
      return false;
    }
  }
}
