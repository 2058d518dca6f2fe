import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { NodeId } from '../raft/configuration.ts';
import type { Message, SnapshotRequest } from '../raft/message.ts';
import type { Raft } from '../raft/raft.ts';
import type { GroupSnapshots, SnapshotPosition } from './replicated-group.ts';

interface SnapshotTrafficOptions {
  readonly raft: Raft;
  readonly clock: Clock;
  readonly snapshots: GroupSnapshots | undefined;
  send(message: Message): void;
  touched(): void;
}

/** After a transfer that failed. */
const retryMs = 1_000;

/** States of one group on their way to members that are behind the front of the log. */
export class SnapshotTraffic {
  readonly #options: SnapshotTrafficOptions;
  readonly #receivers = new Set<NodeId>();
  readonly #leaving = new AbortController();

  constructor(options: SnapshotTrafficOptions) {
    this.#options = options;
  }

  /** A state is believed only when all of it has arrived. */
  isExpected(message: Message): boolean {
    return message.type !== 'snapshot' || this.#options.snapshots?.has(message.snapshot) === true;
  }

  /** The state of now goes first, and the message when the member has all of it. */
  send(message: SnapshotRequest): void {
    const { raft } = this.#options;
    const { to } = message;
    if (this.#receivers.has(to)) return;
    this.#receivers.add(to);
    spawn(
      async () => {
        const snapshot = await this.#transfer(to);
        this.#receivers.delete(to);
        if (snapshot !== undefined && raft.term === message.term)
          this.#options.send({ ...message, snapshot });
        raft.snapshotEnded(to, snapshot?.index);
        this.#options.touched();
      },
      // Only leaving the group interrupts it.
      () => undefined,
    );
  }

  /** For a member whose log needs nothing. Undefined when it failed, or a state is on its way already. */
  async give(to: NodeId): Promise<SnapshotPosition | undefined> {
    if (this.#receivers.has(to)) return undefined;
    this.#receivers.add(to);
    try {
      return await this.#options.snapshots?.send(to, this.#leaving.signal);
    } catch {
      return undefined;
    } finally {
      this.#receivers.delete(to);
    }
  }

  /** Undefined when it failed, a while ago. */
  async #transfer(to: NodeId): Promise<SnapshotPosition | undefined> {
    const { signal } = this.#leaving;
    try {
      const sent = await this.#options.snapshots?.send(to, signal);
      if (sent !== undefined) return sent;
    } catch {
      signal.throwIfAborted();
    }
    await this.#options.clock.sleep(retryMs, signal);
    return undefined;
  }

  async install(snapshot: SnapshotPosition): Promise<void> {
    await this.#options.snapshots?.install(snapshot);
  }

  end(): void {
    this.#leaving.abort(new Error('the node has left the group'));
  }
}
