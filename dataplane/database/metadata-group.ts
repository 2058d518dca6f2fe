import type { Applier } from '../apply/applier.ts';
import { assert } from '../common/assert.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import { InTurn } from '../common/in-turn.ts';
import { applyMetadata } from '../metadata/apply.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import type { MetadataState } from '../metadata/state.ts';
import { isOfConsensus, metadataGroup, onlyTerm } from '../replication/entry-kind.ts';
import type {
  CommittedEntry,
  GroupMachine,
  ReplicatedGroup,
  Replication,
} from '../replication/replicated-group.ts';

const encodeMetadata = (command: MetadataCommand): Uint8Array =>
  encodeUtf8(JSON.stringify(command));

export interface MetadataGroupOptions {
  readonly replication: Replication;
  readonly applier: Applier;
  readonly state: MetadataState;
  /** The last entry that the state has. */
  readonly applied: number;
  /** Called with each state that is committed. */
  changed(state: MetadataState): void;
  /** Ends waits for the log. */
  readonly signal: AbortSignal;
}

/** A change that is proposed. */
interface Pending {
  readonly index: number;
  readonly term: number;
  readonly state: MetadataState;
  readonly ended: PromiseWithResolvers<MetadataState>;
}

/** Changes of databases, tables, indexes and users, one after the other through the log. */
export class MetadataGroup implements GroupMachine {
  readonly #options: MetadataGroupOptions;
  readonly #replicated: ReplicatedGroup;
  readonly #turns = new InTurn();
  #state: MetadataState;
  #pending: Pending | undefined;
  #failure: Error | undefined;

  constructor(options: MetadataGroupOptions) {
    this.#options = options;
    this.#state = options.state;
    const start = { applied: { index: options.applied, term: onlyTerm } };
    this.#replicated = options.replication.join(metadataGroup, this, start);
  }

  /** Resolves when the change is committed, with the state after it; or with why it is refused. */
  change(command: MetadataCommand): Promise<MetadataState | Refused> {
    return this.#turns.run(() => this.#changeNow(command));
  }

  async #changeNow(command: MetadataCommand): Promise<MetadataState | Refused> {
    if (this.#failure !== undefined) throw this.#failure;
    const result = applyMetadata(this.#state, command);
    if (result.type === 'refused') return result;
    // An entry that the log refused would leave a gap behind it.
    while (this.#replicated.isFull) await this.#replicated.room(this.#options.signal);
    const position = this.#replicated.propose(encodeMetadata(command));
    if (position instanceof Error) throw position;
    const ended = Promise.withResolvers<MetadataState>();
    this.#pending = { ...position, state: result.state, ended };
    return ended.promise;
  }

  committed(upTo: number): void {
    const pending = this.#pending;
    if (pending === undefined || pending.index > upTo) return;
    this.#pending = undefined;
    const { index, term, state, ended } = pending;
    this.#state = state;
    this.#options.applier.push({ type: 'metadata', index, term, state });
    this.#options.changed(state);
    ended.resolve(state);
  }

  /** Metadata without other replicas changes by proposals of this node alone. */
  replicated({ kind, index }: CommittedEntry): void {
    assert(isOfConsensus(kind), `entry ${index} is of another leader`);
  }

  led(): void {
    // Changes wait for `refusal` to end.
  }

  withdrawn(from: number, reason: Error): void {
    const pending = this.#pending;
    if (pending === undefined || pending.index < from) return;
    this.#pending = undefined;
    pending.ended.reject(reason);
  }

  failed(error: Error): void {
    this.#failure ??= error;
    this.#pending?.ended.reject(error);
    this.#pending = undefined;
  }
}
