import { createHash, timingSafeEqual } from 'node:crypto';
import { TokenRefusedError } from './errors.ts';

/**
 * Bootstrap credentials outside of Kubernetes: `[a-z0-9]{6}.[a-z0-9]{16}`, an identifier that may be logged
 * and a secret. Each admits one node, once, for ten minutes, with roles that it names; only the hash of the secret is kept. Guarded
 * invariant: every attempt costs the same comparison, and a token that was guessed at too often is gone.
 */
export const joinTokenLimits = {
  lifetimeMs: 10 * 60_000,
  /** Tokens that exist at a time. */
  tokensMax: 64,
  /** Wrong secrets for one identifier before the token is withdrawn. */
  failuresMax: 5,
} as const;

const pattern = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

interface StoredToken {
  readonly hash: Buffer;
  readonly expiresAt: number;
  /** That a node may join with; all when it is empty. */
  readonly roles: readonly string[];
  failures: number;
}

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
/** Compared with when there is no such token, so that its absence takes as long as a wrong secret. */
const noHash = hashOf('');

export class JoinTokens {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #tokens = new Map<string, StoredToken>();

  /** `random` returns unpredictable bytes. */
  constructor(random: (bytes: number) => Uint8Array) {
    this.#random = random;
  }

  /** The whole token, which exists nowhere else from now on. `now`: a monotonic clock in milliseconds. */
  create(now: number, roles: readonly string[] = []): string {
    this.#expire(now);
    if (this.#tokens.size >= joinTokenLimits.tokensMax) {
      throw new TokenRefusedError(
        `There are ${joinTokenLimits.tokensMax} join tokens already. Use one of them, or wait until one has expired.`,
      );
    }
    const id = this.#text(6);
    const secret = this.#text(16);
    this.#tokens.set(id, {
      hash: hashOf(secret),
      expiresAt: now + joinTokenLimits.lifetimeMs,
      roles,
      failures: 0,
    });
    return `${id}.${secret}`;
  }

  /** Uses a token up for a node with these roles; answers its identifier. A token for other roles stays. */
  redeem(text: string, roles: readonly string[], now: number): string {
    this.#expire(now);
    const [, id = '', secret = ''] = pattern.exec(text) ?? [];
    const token = this.#tokens.get(id);
    const isRight = timingSafeEqual(token?.hash ?? noHash, hashOf(secret)) && token !== undefined;
    if (isRight) {
      requireRoles(token.roles, roles);
      this.#tokens.delete(id);
      return id;
    }
    if (token !== undefined) {
      token.failures += 1;
      if (token.failures >= joinTokenLimits.failuresMax) this.#tokens.delete(id);
    }
    throw new TokenRefusedError(
      'The join token is wrong, used or expired. Make a new one on a node of the cluster; each token admits one node within ten minutes.',
    );
  }

  #expire(now: number): void {
    for (const [id, { expiresAt }] of this.#tokens) if (expiresAt <= now) this.#tokens.delete(id);
  }

  #text(length: number): string {
    let text = '';
    while (text.length < length) {
      for (const byte of this.#random(length)) {
        // Bytes beyond the last whole multiple would make some letters more likely.
        if (byte < 252 && text.length < length) text += letters[byte % letters.length];
      }
    }
    return text;
  }
}

function requireRoles(allowed: readonly string[], asked: readonly string[]): void {
  const others = asked.filter((role) => !allowed.includes(role));
  if (allowed.length === 0 || others.length === 0) return;
  throw new TokenRefusedError(
    `The join token admits a node with the roles ${allowed.join(', ')}, and this node asks for ${others.join(', ')} as well. Start it with --roles ${allowed.join(',')}, or make another token.`,
  );
}
