import { UnappliedBlock } from '../wire/unapplied-block.ts';

/**
 * Which shards query workers may read from the store themselves, and which writes of these the store lacks. Guarded
 * invariants: a write is published before anybody can learn of it, and stays so until the store has it; what is not
 * sound, or not served any more, is closed before the store shows it.
 *
 * Changes of one turn are published together, by a reaction that is queued with the first of them. Whatever follows
 * from a change is queued behind it.
 */
export interface BlockPlaces {
  /** False when there is no place for the group: then nobody reads it directly. */
  write(group: number, block: Uint8Array): boolean;
  release(group: number): void;
}

/** Of one shard: the keys whose writes the store does not have. */
export interface UnappliedKeys {
  add(key: Uint8Array): void;
  remove(key: Uint8Array): void;
}

interface Member {
  readonly group: number;
  readonly keyspace: number;
  readonly block: UnappliedBlock;
  /** Whether what the store has of it can be answered without a further look. */
  readonly isSound: () => boolean;
}

export class DirectReads {
  readonly #places: BlockPlaces;
  readonly #failed: (error: Error) => void;
  readonly #members = new Map<number, Member>();
  readonly #byKeyspace = new Map<number, Member>();
  readonly #changed = new Set<Member>();
  #lastVersion = 0;
  #isOff = false;

  /** `failed`: a shard that workers may read could not be published, so that the process must end. */
  constructor(places: BlockPlaces, failed: (error: Error) => void) {
    this.#places = places;
    this.#failed = failed;
  }

  /** A shard that is served from now on. */
  join({ group, keyspace, isSound }: Omit<Member, 'block'>): UnappliedKeys {
    const block = new UnappliedBlock(group);
    const member = { group, keyspace, block, isSound };
    this.#members.set(group, member);
    this.#byKeyspace.set(keyspace, member);
    this.#renew(member);
    return {
      add: (key) => {
        block.add(key);
        this.#publishLater(member);
      },
      remove: (key) => {
        block.remove(key);
        this.#publishLater(member);
      },
    };
  }

  /** The shard is gone. */
  leave(group: number): void {
    const member = this.#members.get(group);
    if (member === undefined) return;
    this.#members.delete(group);
    this.#byKeyspace.delete(member.keyspace);
    member.block.version = 0;
    this.#changed.delete(member);
    this.#publish(member);
    this.#places.release(group);
  }

  /** What workers know of the shard holds no more: its keyspaces, indexes or soundness have changed. */
  renew(group: number): void {
    const member = this.#members.get(group);
    if (member !== undefined) this.#renew(member);
  }

  renewKeyspace(keyspace: number): void {
    const member = this.#byKeyspace.get(keyspace);
    if (member !== undefined) this.#renew(member);
  }

  /** 0: nobody may read it directly. */
  versionOf(group: number): number {
    return this.#members.get(group)?.block.version ?? 0;
  }

  /** For as long as the process lives. */
  switchOff(): void {
    this.#isOff = true;
    for (const member of this.#members.values()) this.#renew(member);
  }

  #renew(member: Member): void {
    this.#lastVersion += 1;
    member.block.version = !this.#isOff && member.isSound() ? this.#lastVersion : 0;
    this.#publishLater(member);
  }

  #publishLater(member: Member): void {
    const isFirst = this.#changed.size === 0;
    this.#changed.add(member);
    if (isFirst) queueMicrotask(() => this.#publishAll());
  }

  #publishAll(): void {
    for (const member of this.#changed) this.#publish(member);
    this.#changed.clear();
  }

  #publish({ group, block }: Member): void {
    try {
      if (!this.#places.write(group, block.current())) block.version = 0;
    } catch (error) {
      this.#failed(error as Error);
    }
  }
}
