import { decodeUtf8, encodeUtf8 } from '../../common/bytes.ts';
import { entryKind } from '../entry-kind.ts';
import type {
  CommittedEntry,
  GroupMachine,
  GroupSnapshots,
  Position,
  ReplicatedGroup,
  SnapshotPosition,
} from '../replicated-group.ts';

/** A machine that keeps texts, and hears everything that a group says. */
export class Store implements GroupMachine {
  readonly events: string[] = [];
  readonly proposed = new Map<number, string>();
  texts: string[] = [];
  applied: Position = { term: 0, index: 0 };
  isLeading = false;
  /** The next command waits for it. */
  room: Promise<void> | undefined;

  roomForNext(): Promise<void> | undefined {
    return this.room;
  }

  committed(upTo: number): void {
    for (const [index, text] of this.proposed) {
      if (index > upTo) break;
      this.proposed.delete(index);
      this.#take({ term: this.applied.term, index }, text);
    }
    this.events.push(`committed ${upTo}`);
  }

  replicated({ kind, payload, ...position }: CommittedEntry): void {
    const text = kind === entryKind.command ? decodeUtf8(payload) : undefined;
    this.#take(position, text);
    if (text !== undefined) this.events.push(`replicated ${text}`);
  }

  #take(position: Position, text: string | undefined): void {
    if (position.index !== this.applied.index + 1)
      throw new Error(`entry ${position.index} comes behind ${this.applied.index}`);
    this.applied = { index: position.index, term: position.term };
    if (text !== undefined) this.texts.push(text);
  }

  withdrawn(from: number, reason: Error): void {
    for (const index of this.proposed.keys()) if (index >= from) this.proposed.delete(index);
    this.events.push(`withdrawn ${reason.name}`);
  }

  led(isLeading: boolean): void {
    this.isLeading = isLeading;
    this.events.push(isLeading ? 'leads' : 'follows');
  }

  failed(error: Error): void {
    this.events.push(`failed ${error.message}`);
  }

  propose(group: ReplicatedGroup, text: string): Position | Error {
    const { nextIndex } = group;
    this.proposed.set(nextIndex, text);
    const position = group.propose(encodeUtf8(text));
    if (position instanceof Error) this.proposed.delete(nextIndex);
    return position;
  }
}

interface Arrived {
  readonly texts: readonly string[];
  readonly applied: Position;
}

/** States on their way between the stores of a group, at once. */
export class StoreSnapshots implements GroupSnapshots {
  readonly #own: () => { readonly store: Store; readonly group: ReplicatedGroup };
  readonly #peers: ReadonlyMap<string, StoreSnapshots>;
  readonly #arrived = new Map<number, Arrived>();
  sent = 0;
  isBroken = false;
  /** An installation waits for it. */
  medium: Promise<void> = Promise.resolve();

  constructor(
    own: () => { readonly store: Store; readonly group: ReplicatedGroup },
    peers: ReadonlyMap<string, StoreSnapshots>,
  ) {
    this.#own = own;
    this.#peers = peers;
  }

  async send(to: string): Promise<SnapshotPosition> {
    await Promise.resolve();
    this.sent += 1;
    if (this.isBroken) throw new Error('the connection broke');
    const { store, group } = this.#own();
    const { applied, texts } = store;
    this.#peers.get(to)?.take({ texts: [...texts], applied });
    return { ...applied, configuration: group.configuration };
  }

  take(arrived: Arrived): void {
    this.#arrived.set(arrived.applied.index, arrived);
  }

  has({ index }: SnapshotPosition): boolean {
    return this.#arrived.has(index);
  }

  async install({ index }: SnapshotPosition): Promise<void> {
    await this.medium;
    const arrived = this.#arrived.get(index);
    if (arrived === undefined) throw new Error('nothing has arrived');
    const { store } = this.#own();
    store.texts = [...arrived.texts];
    store.applied = arrived.applied;
    store.events.push(`installed ${index}`);
  }
}
