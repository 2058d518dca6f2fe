import { ShardElsewhereError } from '../wire/errors.ts';
import type { TableLink } from '../wire/remote-table.ts';
import { movedOf } from '../wire/table-codec.ts';
import type { ShardAddress, TableMessageKind } from '../wire/table-messages.ts';
import { NotSentError, PrimaryUnavailableError, WriteOutcomeUnknownError } from './errors.ts';
import type { Operation } from './errors.ts';
import type { Leaders } from './leaders.ts';
import type { ShardPeers } from './peers.ts';
import { faultOf, nextStep } from './retry.ts';
import type { Retrying } from './retry.ts';

export interface ShardLinkOptions extends Retrying {
  readonly to: ShardAddress;
  /** For sentences. */
  readonly name: string;
  /** Nodes that have the shard, the most likely leader first. */
  replicas(): readonly string[];
  readonly leaders: Leaders;
  readonly peers: ShardPeers;
}

export const operationOf = (kind: TableMessageKind): Operation =>
  kind === 'edit' || kind === 'sync' ? 'write' : 'read';

/**
 * The way to the leader of one shard. Asks the node that was last known to lead, follows the hints of those that do
 * not, and repeats what was certainly not carried out, and reads, for a while. An answer of a shard with a newer map
 * is returned: keys may belong to other shards there.
 */
export class ShardLink implements TableLink {
  readonly #options: ShardLinkOptions;
  /** Counts on, so that replicas are asked in turn. */
  #turn = 0;

  constructor(options: ShardLinkOptions) {
    this.#options = options;
  }

  async request(
    bytes: Uint8Array,
    signal: AbortSignal,
    kind: TableMessageKind,
  ): Promise<Uint8Array> {
    const { clock, chance, peers, name } = this.#options;
    const operation = operationOf(kind);
    let failedAt: number | undefined;
    for (let failures = 0; ; failures += 1) {
      const node = this.#node();
      let failure: Error;
      let hasHint = false;
      try {
        if (node === undefined) throw new NotSentError('No node with a replica of it is known.');
        const answer = await peers.ask(node, { kind, bytes }, signal);
        const moved = movedOf(answer);
        if (moved === undefined || moved.epoch > this.#options.to.epoch) {
          if (moved === undefined) this.#note(node);
          return answer;
        }
        hasHint = this.#corrected(node, moved.leader);
        failure = new NotSentError(new ShardElsewhereError(moved).message);
      } catch (error) {
        signal.throwIfAborted();
        failure = error as Error;
        this.#forget(node);
      }
      failedAt ??= clock.now();
      const step = nextStep({
        operation,
        fault: faultOf(failure),
        failures,
        elapsedMs: clock.now() - failedAt,
        hasHint,
        random: chance.next(),
      });
      if (step.type === 'final') throw failure;
      if (step.type === 'unknownOutcome') throw new WriteOutcomeUnknownError(name);
      if (step.type === 'unavailable')
        throw new PrimaryUnavailableError(operation, name, failure.message);
      if (step.afterMs > 0) await clock.sleep(step.afterMs, signal);
    }
  }

  #node(): string | undefined {
    const { to, leaders } = this.#options;
    const hint = leaders.of(to.table, to.shard);
    if (hint !== undefined) return hint;
    const replicas = this.#options.replicas();
    return replicas[this.#turn % Math.max(1, replicas.length)];
  }

  #note(node: string): void {
    const { to, leaders } = this.#options;
    leaders.note(to.table, to.shard, node);
  }

  /** The node does not lead. Whether it named another one. */
  #corrected(node: string, leader: string | undefined): boolean {
    this.#forget(node);
    if (leader === undefined || leader === node) return false;
    this.#note(leader);
    return true;
  }

  #forget(node: string | undefined): void {
    this.#turn += 1;
    const { to, leaders } = this.#options;
    if (node !== undefined) leaders.forget(to.table, to.shard, node);
  }
}
