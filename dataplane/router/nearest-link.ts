import type { Timer } from '../common/clock.ts';
import { ShardElsewhereError } from '../wire/errors.ts';
import type { TableLink } from '../wire/remote-table.ts';
import { movedOf } from '../wire/table-codec.ts';
import type { TableMessageKind } from '../wire/table-messages.ts';
import { AnswerLostError, NotSentError, ReplicaUnavailableError } from './errors.ts';
import { faultOf, nextStep } from './retry.ts';
import type { ShardLinkOptions } from './shard-link.ts';

/** The first replica that is asked may take so long; in each round over all of them they get twice the time. */
const patienceMs = 1_000;

/**
 * The way to any replica of one shard, for reads that may be outdated. Guarded invariant: nobody waits for a leader, nor
 * for one replica while another one may answer.
 */
export class NearestLink implements TableLink {
  readonly #options: ShardLinkOptions;
  /** Counts on with each replica that did not answer. */
  #turn = 0;

  constructor(options: ShardLinkOptions) {
    this.#options = options;
  }

  async request(
    bytes: Uint8Array,
    signal: AbortSignal,
    kind: TableMessageKind,
  ): Promise<Uint8Array> {
    const { clock, chance, name, to } = this.#options;
    let failedAt: number | undefined;
    for (let failures = 0; ; failures += 1) {
      const replicas = this.#options.replicas();
      const round = Math.floor(failures / Math.max(1, replicas.length));
      const node = replicas[this.#turn % Math.max(1, replicas.length)];
      let failure: Error;
      try {
        const answer = await this.#ask(node, { kind, bytes }, signal, patienceMs * 2 ** round);
        const moved = movedOf(answer);
        if (moved === undefined || moved.epoch > to.epoch) return answer;
        failure = new NotSentError(new ShardElsewhereError(moved).message);
      } catch (error) {
        signal.throwIfAborted();
        failure = error as Error;
      }
      this.#turn += 1;
      failedAt ??= clock.now();
      const step = nextStep({
        operation: 'read',
        fault: faultOf(failure),
        failures: round,
        elapsedMs: clock.now() - failedAt,
        hasHint: failures + 1 < replicas.length,
        random: chance.next(),
      });
      if (step.type === 'final') throw failure;
      if (step.type !== 'retry') throw new ReplicaUnavailableError(name, failure.message);
      if (step.afterMs > 0) await clock.sleep(step.afterMs, signal);
    }
  }

  async #ask(
    node: string | undefined,
    request: { readonly kind: TableMessageKind; readonly bytes: Uint8Array },
    signal: AbortSignal,
    withinMs: number,
  ): Promise<Uint8Array> {
    if (node === undefined) throw new NotSentError('No node with a replica of it is known.');
    const { clock, peers } = this.#options;
    const over = new AbortController();
    const late = new AnswerLostError(`Node ${node} does not answer.`);
    const timer: Timer = clock.timer(withinMs, () => over.abort(late));
    try {
      return await peers.ask(node, request, AbortSignal.any([signal, over.signal]));
    } finally {
      timer.cancel();
    }
  }
}
