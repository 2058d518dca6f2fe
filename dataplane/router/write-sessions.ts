import type { Chance } from '../common/chance.ts';
import type { EditSession } from '../wire/table-edit.ts';

type Session = Omit<EditSession, 'isRepeated'>;

/** Further requests that are under way at once have no session, and are never repeated. */
const sessionsMax = 1_024;
const nameSpace = 2 ** 53;
const radix = 36;

/**
 * Sessions of this router with one shard. Guarded invariant: each has one request under way at a time, and sequences
 * that grow.
 */
export class WriteSessions {
  readonly #chance: Pick<Chance, 'next'>;
  /** Sessions without a request, the last one used last: few stay in use, so that shards remember few. */
  readonly #free: Session[] = [];
  /** Of this router and shard, in this life. */
  #name: string | undefined;
  #count = 0;
  #taken = 0;

  constructor(chance: Pick<Chance, 'next'>) {
    this.#chance = chance;
  }

  /** Undefined while too many are taken. */
  take(): Session | undefined {
    if (this.#taken >= sessionsMax) return undefined;
    this.#taken += 1;
    return this.#free.pop() ?? this.#begun();
  }

  /** Its request was answered by the first attempt. */
  release({ id, sequence }: Session): void {
    this.#taken -= 1;
    this.#free.push({ id, sequence: sequence + 1 });
  }

  /** An attempt of it may still be under way somewhere: it is not used again. */
  abandon(): void {
    this.#taken -= 1;
  }

  #begun(): Session {
    this.#name ??= Math.floor(this.#chance.next() * nameSpace).toString(radix);
    this.#count += 1;
    return { id: `${this.#name}.${this.#count.toString(radix)}`, sequence: 1 };
  }
}
