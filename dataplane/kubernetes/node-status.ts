import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
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
  readonly clock: Pick<Clock, 'sleep'>;
  readonly chance: Pick<Chance, 'next'>;
  status(spec: { readonly generation: number; readonly roles: readonly string[] }): NodeStatus;
  failed(message: string): void;
}

const refreshMs = 60_000;
const retryMs = 2_000;

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #node: OwnNode;
  readonly #stopping = new AbortController();
  #pausing = new AbortController();
  #dirty = true;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#node = new OwnNode(options);
  }

  /** The status may have changed. */
  changed(): void {
    this.#dirty = true;
    this.#pausing.abort();
  }

  async run(): Promise<void> {
    const { chance } = this.#options;
    while (!this.#stopping.signal.aborted) {
      this.#dirty = false;
      const wrote = await this.#write();
      if (!this.#dirty || !wrote)
        await this.#pause(wrote ? refreshMs * (0.8 + chance.next() * 0.2) : retryMs);
    }
  }

  /** Writes a last time and ends. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#pausing.abort();
    await this.#write();
  }

  /** Ends early when the status changes. */
  async #pause(ms: number): Promise<void> {
    this.#pausing = new AbortController();
    await this.#options.clock.sleep(ms, this.#pausing.signal).catch(() => undefined);
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
