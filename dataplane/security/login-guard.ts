import type { Clock } from '../common/clock.ts';

/**
 * Slows down who guesses passwords. Each pair of an address and a user has a few failed logins free;
 * after that it is refused for a while that doubles with every further failure. An address that fails
 * with ever other users is refused as a whole. Guarded invariant: a failure never shuts out another
 * address, so a stranger cannot lock the owner of an account out. Loopback has no privilege: behind a
 * proxy everybody comes from there.
 */
export interface GuardedLogins {
  /** For how long this user may not try from here; 0 when he may. */
  waitMs(user: string): number;
  /**
   * Counts how a login ended, and answers like `waitMs`: a guess that was refused meanwhile is not counted, and nobody
   * learns whether it was right.
   */
  settle(user: string, isRight: boolean): number;
  failed(user: string): void;
  succeeded(user: string): void;
}

export const loginLimits = {
  pairFailuresFree: 5,
  /** Many users behind one address (a proxy, a node of Kubernetes) share these. */
  addressFailuresFree: 50,
  refusalFirstMs: 1_000,
  refusalMaxMs: 60_000,
  /** One failure is forgiven in so much time. */
  forgivenMs: 60_000,
  /** Of pairs, and of addresses; the one that was quiet for the longest time is forgotten. */
  entriesMax: 10_000,
} as const;

/** Of a name in the table: a client may send 2 KiB. */
const nameCharactersMax = 128;

interface Entry {
  readonly failures: number;
  readonly at: number;
  readonly refusedUntil: number;
}

class Ledger {
  readonly #entries = new Map<string, Entry>();
  readonly #free: number;

  constructor(free: number) {
    this.#free = free;
  }

  get size(): number {
    return this.#entries.size;
  }

  waitMs(key: string, now: number): number {
    return Math.max(0, (this.#entries.get(key)?.refusedUntil ?? 0) - now);
  }

  failed(key: string, now: number): void {
    const { refusalFirstMs, refusalMaxMs, forgivenMs, entriesMax } = loginLimits;
    const doublings = Math.ceil(Math.log2(refusalMaxMs / refusalFirstMs));
    const { failures: before = 0, at = now } = this.#entries.get(key) ?? {};
    const left = Math.max(0, before - Math.floor((now - at) / forgivenMs));
    const failures = Math.min(left + 1, this.#free + doublings + 1);
    const over = failures - this.#free;
    const refusal = over > 0 ? Math.min(refusalMaxMs, refusalFirstMs * 2 ** (over - 1)) : 0;
    // The order of the map is the order of the last failures.
    this.#entries.delete(key);
    this.#entries.set(key, { failures, at: now, refusedUntil: now + refusal });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > entriesMax && oldest !== undefined) this.#entries.delete(oldest);
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}

export class LoginGuard {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #pairs = new Ledger(loginLimits.pairFailuresFree);
  readonly #addresses = new Ledger(loginLimits.addressFailuresFree);

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Pairs and addresses that are remembered. */
  get size(): number {
    return this.#pairs.size + this.#addresses.size;
  }

  at(address: string): GuardedLogins {
    const network = networkOf(address);
    const pairOf = (user: string): string => `${network} ${user.slice(0, nameCharactersMax)}`;
    const waitMs = (user: string): number => {
      const now = this.#clock.now();
      return Math.max(this.#pairs.waitMs(pairOf(user), now), this.#addresses.waitMs(network, now));
    };
    const failed = (user: string): void => {
      const now = this.#clock.now();
      this.#pairs.failed(pairOf(user), now);
      this.#addresses.failed(network, now);
    };
    // Not the address: else one known password would let its owner guess all others.
    const succeeded = (user: string): void => this.#pairs.forget(pairOf(user));
    const settle = (user: string, isRight: boolean): number => {
      const refusedMs = waitMs(user);
      if (refusedMs > 0) return refusedMs;
      if (isRight) succeeded(user);
      else failed(user);
      return 0;
    };
    return { waitMs, settle, failed, succeeded };
  }
}

/** What one person has of addresses: one of IPv4, a /64 of IPv6. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0');
  return `${[...front, ...zeros, ...back].slice(0, 4).join(':')}::/64`;
}
