import type { Applier } from '../apply/applier.ts';
import { MetadataFrozenError } from '../apply/errors.ts';
import { passed } from '../apply/replay.ts';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { InTurn } from '../common/in-turn.ts';
import { applyMetadata } from '../metadata/apply.ts';
import { readMetadataCommand } from '../metadata/command-format.ts';
import type { MetadataCommand, MetadataResult, Refused } from '../metadata/command.ts';
import type { MetadataState } from '../metadata/state.ts';
import { entryKind, isOfConsensus, metadataGroup } from '../replication/entry-kind.ts';
import type {
  CommittedEntry,
  GroupMachine,
  GroupStart,
  ReplicatedGroup,
  Replication,
} from '../replication/replicated-group.ts';

const encodeMetadata = (command: MetadataCommand): Uint8Array =>
  encodeUtf8(JSON.stringify(command));

export interface MetadataGroupOptions {
  readonly replication: Replication;
  readonly applier: Applier;
  readonly state: MetadataState;
  /** `applied`: the last entry that the state has. */
  readonly start: GroupStart;
  /** Called with each state that is committed, and the index of its entry. */
  changed(state: MetadataState, index: number): void;
  /** Called with why nothing is committed any more: the process must end. */
  failed(error: Error): void;
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

/**
 * Changes of databases, tables, indexes and users, one after the other through the log. The leader evaluates a change
 * before it proposes it, and each other member when it is committed, in the same order and with the same result.
 */
export class MetadataGroup implements GroupMachine {
  /** Its members, and who leads it. */
  readonly replicas: ReplicatedGroup;
  readonly #options: MetadataGroupOptions;
  readonly #turns = new InTurn();
  #state: MetadataState;
  #pending: Pending | undefined;
  #failure: Error | undefined;
  #frozen: MetadataFrozenError | undefined;

  constructor(options: MetadataGroupOptions) {
    this.#options = options;
    this.#state = options.state;
    this.replicas = options.replication.join(metadataGroup, this, options.start);
  }

  /** Why the state stays as it is, if it does. */
  get frozen(): MetadataFrozenError | undefined {
    return this.#frozen;
  }

  /** Resolves when the change is committed, with the state after it; or with why it is refused. */
  change(command: MetadataCommand): Promise<MetadataState | Refused> {
    return this.#turns.run(() => this.#changeNow(command));
  }

  async #changeNow(command: MetadataCommand): Promise<MetadataState | Refused> {
    const { replicas } = this;
    let result = await this.#evaluated(command);
    // An entry that the log refused would leave a gap behind it.
    while (replicas.isFull && result.type === 'applied') {
      await replicas.room(this.#options.signal);
      result = await this.#evaluated(command);
    }
    if (result.type === 'refused') return result;
    const position = replicas.propose(encodeMetadata(command));
    if (position instanceof Error) throw position;
    const ended = Promise.withResolvers<MetadataState>();
    this.#pending = { ...position, state: result.state, ended };
    return ended.promise;
  }

  /** On the state of now: a leader that was deposed and does not know it would decide on an older one. */
  async #evaluated(command: MetadataCommand): Promise<MetadataResult> {
    await this.replicas.readable();
    const stopped = this.#failure ?? this.#frozen ?? this.replicas.refusal;
    if (stopped !== undefined) throw stopped;
    return applyMetadata(this.#state, command);
  }

  committed(upTo: number): void {
    const pending = this.#pending;
    if (pending === undefined || pending.index > upTo) return;
    this.#pending = undefined;
    this.#become(pending.state, pending);
    pending.ended.resolve(pending.state);
  }

  /** Of another leader, or of consensus. A command that is refused takes its position and changes nothing. */
  replicated(entry: CommittedEntry): void {
    // What comes behind an entry that this release cannot read was decided on a state that it cannot know.
    if (this.#frozen !== undefined) return;
    const { index, term, kind, payload } = entry;
    if (this.#pending?.index === index && this.#pending.term === term) {
      this.committed(index);
      return;
    }
    if (isOfConsensus(kind)) {
      this.#options.applier.push(passed({ group: metadataGroup, ...entry }));
      this.#options.changed(this.#state, index);
      return;
    }
    let result: MetadataResult;
    try {
      if (kind !== entryKind.command) throw new Error(`its kind ${kind} is unknown`);
      result = applyMetadata(this.#state, readMetadataCommand(decodeUtf8(payload)));
    } catch (error) {
      this.#frozen = new MetadataFrozenError(index, (error as Error).message);
      return;
    }
    this.#become(result.type === 'applied' ? result.state : this.#state, { index, term });
  }

  /** The state is that of another member. */
  restored(state: MetadataState): void {
    this.#state = state;
  }

  #become(state: MetadataState, { index, term }: Pick<Pending, 'index' | 'term'>): void {
    this.#state = state;
    this.#options.applier.push({ type: 'metadata', index, term, state });
    this.#options.changed(state, index);
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
    this.#options.failed(error);
    this.#pending?.ended.reject(error);
    this.#pending = undefined;
  }
}
