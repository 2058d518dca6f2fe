import { noBytes } from '../common/bytes.ts';
import type { MembershipLog } from './membership-log.ts';
import type { Mesh } from './mesh.ts';

export interface RingReaderOptions {
  readonly mesh: Pick<Mesh, 'request'>;
  readonly log: MembershipLog;
  /** The gossip keys that a node has. */
  readonly received: (payload: Uint8Array) => void;
}

/** Reads the gossip keys that other nodes have, one request to each at a time. */
export class RingReader {
  readonly #options: RingReaderOptions;
  readonly #asking = new Set<string>();

  constructor(options: RingReaderOptions) {
    this.#options = options;
  }

  /** Never rejects: a node that has no keys yet, or does not answer, is to be asked again. */
  async read(id: string): Promise<void> {
    if (this.#asking.has(id)) return;
    const { mesh, log, received } = this.#options;
    this.#asking.add(id);
    try {
      const payload = await mesh.request(id, 'readRing', noBytes);
      if (payload.byteLength > 0) received(payload);
    } catch (error) {
      const { message: reason } = error as Error;
      log.warn('the gossip keys of a node cannot be read', { id, reason });
    } finally {
      this.#asking.delete(id);
    }
  }
}
