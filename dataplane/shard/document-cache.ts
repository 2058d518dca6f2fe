import type { StoredDocument } from '../table/envelope.ts';

/**
 * Documents that were read by their key, checked already, bounded in bytes for all groups of a node.
 * Guarded invariant: what it has is what the store has. It is filled from the store, and told of a
 * write in the moment in which the write leaves the memtable for the store.
 *
 * What goes is decided by the clock algorithm: a hand goes round over all documents of all groups,
 * and takes those that nobody read since it came by the last time. A full cache takes in only what is
 * read a second time within a while: most of a large table is read once, and would only cost others
 * their place.
 */
interface Kept extends StoredDocument {
  wasRead: boolean;
}

/** What an entry costs beside its text: its key, its object, its place in the map. */
const entryOverheadBytes = 160;

/** So many keys that were read and not kept are remembered, in a word each. */
const marksMax = 1 << 17;

/** FNV-1a over the units of a name. Equal marks of different names cost a place at most. */
function markOf(name: string): number {
  let mark = 0x81_1c_9d_c5;
  for (let at = 0; at < name.length; at += 1) {
    mark = Math.imul(mark ^ name.charCodeAt(at), 0x01_00_01_93);
  }
  return mark | 0;
}

const costOf = ({ text }: StoredDocument): number => text.length + entryOverheadBytes;

export class DocumentCache {
  readonly counters = { hits: 0, misses: 0 };
  readonly #bytesMax: number;
  readonly #groups = new Set<GroupDocuments>();
  #bytes = 0;
  readonly #marks: Int32Array;
  #groupHand: Iterator<GroupDocuments>;
  #current: GroupDocuments | undefined;

  /** Zero bytes turn it off. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#marks = new Int32Array(bytesMax > 0 ? marksMax : 0);
    this.#groupHand = this.#groups.values();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The part of one group: its owner calls `forget` at the end. */
  group(): GroupDocuments {
    const documents = new GroupDocuments(this.counters, {
      admits: (name, bytes) => this.#admits(name, bytes),
      take: (bytes) => this.#take(bytes),
      give: (bytes) => (this.#bytes -= bytes),
      forget: () => this.#groups.delete(documents),
    });
    this.#groups.add(documents);
    return documents;
  }

  /** Whether a document that was read is worth a place: free, or that of another one. */
  #admits(name: string, bytes: number): boolean {
    if (this.#bytes + bytes <= this.#bytesMax) return true;
    const mark = markOf(name);
    const at = mark & (marksMax - 1);
    if (this.#marks[at] === mark) return true;
    this.#marks[at] = mark;
    return false;
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
  admits(name: string, bytes: number): boolean;
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
  #bytes = 0;

  constructor(counters: DocumentCache['counters'], budget: Budget) {
    this.#counters = counters;
    this.#budget = budget;
  }

  /** Of the documents of this group. */
  get bytes(): number {
    return this.#bytes;
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

  /** May keep what the store just answered for a key that `get` did not have. */
  keep(name: string, document: StoredDocument): void {
    if (this.#budget.admits(name, costOf(document))) this.#put(name, document);
  }

  /** The store has this now in place of what it had: undefined after a deletion. */
  replaced(name: string, document: StoredDocument | undefined): void {
    if (!this.#remove(name) || document === undefined) return;
    this.#put(name, document);
  }

  /** The store has other rows. */
  clear(): void {
    for (const name of this.#documents.keys()) this.#remove(name);
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

  #put(name: string, { version, text }: StoredDocument): void {
    const kept = { version, text, wasRead: false };
    if (this.#isGone || !this.#budget.take(costOf(kept))) return;
    this.#documents.set(name, kept);
    this.#bytes += costOf(kept);
  }

  #remove(name: string): boolean {
    const found = this.#documents.get(name);
    if (found === undefined) return false;
    this.#documents.delete(name);
    this.#budget.give(costOf(found));
    this.#bytes -= costOf(found);
    return true;
  }
}
