import type { StoredDocument } from '../table/envelope.ts';

/**
 * Documents that were read by their key, checked already, bounded in bytes for all groups of a node.
 * Guarded invariant: what it has is what the store has. It is filled from the store, and told of a
 * write in the moment in which the write leaves the overlay for the store.
 *
 * What goes is decided by the clock algorithm: a hand goes round over all documents of all groups,
 * and takes those that nobody read since it came by the last time.
 */
interface Kept extends StoredDocument {
  wasRead: boolean;
}

/** What an entry costs beside its text: its key, its object, its place in the map. */
const entryOverheadBytes = 160;

const costOf = ({ text }: StoredDocument): number => text.length + entryOverheadBytes;

export class DocumentCache {
  readonly counters = { hits: 0, misses: 0 };
  readonly #bytesMax: number;
  readonly #groups = new Set<GroupDocuments>();
  #bytes = 0;
  #groupHand: Iterator<GroupDocuments>;
  #current: GroupDocuments | undefined;

  /** Zero bytes turn it off. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#groupHand = this.#groups.values();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The part of one group: its owner calls `forget` at the end. */
  group(): GroupDocuments {
    const documents = new GroupDocuments(this.counters, {
      take: (bytes) => this.#take(bytes),
      give: (bytes) => (this.#bytes -= bytes),
      forget: () => this.#groups.delete(documents),
    });
    this.#groups.add(documents);
    return documents;
  }

  /** Makes room, and says whether there can be any. */
  #take(bytes: number): boolean {
    if (bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    let hand = this.#current;
    while (this.#bytes > this.#bytesMax) {
      if (hand?.evictOne() !== true) hand = this.#next();
    }
    this.#current = hand;
    return true;
  }

  #next(): GroupDocuments | undefined {
    let step = this.#groupHand.next();
    if (step.done === true) {
      this.#groupHand = this.#groups.values();
      step = this.#groupHand.next();
    }
    return step.value as GroupDocuments | undefined;
  }
}

interface Budget {
  take(bytes: number): boolean;
  give(bytes: number): void;
  forget(): void;
}

export class GroupDocuments {
  readonly #counters: DocumentCache['counters'];
  readonly #budget: Budget;
  readonly #documents = new Map<string, Kept>();
  #hand = this.#documents.entries();
  #isGone = false;

  constructor(counters: DocumentCache['counters'], budget: Budget) {
    this.#counters = counters;
    this.#budget = budget;
  }

  get(name: string): StoredDocument | undefined {
    const found = this.#documents.get(name);
    if (found === undefined) {
      this.#counters.misses += 1;
      return undefined;
    }
    found.wasRead = true;
    this.#counters.hits += 1;
    return found;
  }

  /** Keeps what the store just answered for a key that `get` did not have. */
  keep(name: string, { version, text }: StoredDocument): void {
    const kept = { version, text, wasRead: false };
    if (!this.#isGone && this.#budget.take(costOf(kept))) this.#documents.set(name, kept);
  }

  /** The store has this now in place of what it had: undefined after a deletion. */
  replaced(name: string, document: StoredDocument | undefined): void {
    if (!this.#remove(name) || document === undefined) return;
    this.keep(name, document);
  }

  /** For a group that is gone: nothing is kept any more. */
  forget(): void {
    this.#isGone = true;
    for (const name of this.#documents.keys()) this.#remove(name);
    this.#budget.forget();
  }

  /** Lets the hand go on until it took a document; false when it came to the end before. */
  evictOne(): boolean {
    for (;;) {
      const step = this.#hand.next();
      if (step.done === true) {
        this.#hand = this.#documents.entries();
        return false;
      }
      const [name, document] = step.value;
      if (!document.wasRead) return this.#remove(name);
      document.wasRead = false;
    }
  }

  #remove(name: string): boolean {
    const found = this.#documents.get(name);
    if (found === undefined) return false;
    this.#documents.delete(name);
    this.#budget.give(costOf(found));
    return true;
  }
}
