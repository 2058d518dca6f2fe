import { createHmac } from 'node:crypto';
import { encodeBase64 } from '../common/bytes.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { verifies } from './scram.ts';
import type { ScramVerifier } from './scram.ts';

/**
 * Checks passwords that come in the clear, as those of the web port do. Deriving a key takes
 * milliseconds of a thread that the log needs for its writes, so one is derived at a time, a guess costs
 * a pause, and what a password turned out to be is remembered. Guarded invariant: however many ask, the
 * rest of the node keeps its threads. Passwords themselves are not kept, only keyed hashes of them.
 */
export type PasswordOutcome = 'right' | 'wrong' | 'busy';

export interface PasswordCheckerOptions {
  readonly verifierOf: (user: string) => ScramVerifier | undefined;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly chance: Pick<Chance, 'bytes'>;
  readonly signal: AbortSignal;
}

export const passwordLimits = {
  /** Checks that wait for their turn; beyond it the answer is `busy`. */
  waitingMax: 64,
  /** After a wrong password, before the next one is checked. */
  pauseMs: 25,
  /** Of right and of wrong passwords each; the one that was asked for the longest time ago is forgotten. */
  rememberedMax: 1_000,
} as const;

export class PasswordChecker {
  readonly #options: PasswordCheckerOptions;
  readonly #secret: Uint8Array;
  /** Users that do not exist take as long as others. */
  readonly #decoy: ScramVerifier;
  /** Apart, so that guesses push out no password that is right. */
  readonly #remembered = { right: new Set<string>(), wrong: new Set<string>() };
  readonly #running = new Map<string, Promise<PasswordOutcome>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: PasswordCheckerOptions) {
    this.#options = options;
    const { chance } = options;
    this.#secret = chance.bytes(32);
    const [salt, storedKey] = [encodeBase64(chance.bytes(16)), encodeBase64(chance.bytes(32))];
    this.#decoy = { salt, iterations: 4_096, storedKey, serverKey: '' };
  }

  /**
   * `busy` when too many wait already. `isRefused` is asked again when the turn has come: a password that
   * is no longer wanted is not checked, and `wrong`.
   */
  async check(
    user: string,
    password: string,
    isRefused: () => boolean = () => false,
  ): Promise<PasswordOutcome> {
    const verifier = this.#options.verifierOf(user) ?? this.#decoy;
    const key = this.#keyOf(user, password, verifier);
    for (const outcome of ['right', 'wrong'] as const) {
      if (!this.#remembered[outcome].has(key)) continue;
      this.#remember(outcome, key);
      return outcome;
    }
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#running.size >= passwordLimits.waitingMax) return 'busy';
    let isGuess = false;
    const outcome = this.#turn
      .then(async (): Promise<PasswordOutcome> => {
        if (isRefused() || this.#options.signal.aborted) return 'wrong';
        const said = (await verifies(verifier, password)) ? 'right' : 'wrong';
        this.#remember(said, key);
        isGuess = said === 'wrong';
        return said;
      })
      .finally(() => this.#running.delete(key));
    this.#running.set(key, outcome);
    this.#turn = outcome.then(
      () => (isGuess ? this.#pause() : undefined),
      () => undefined,
    );
    return outcome;
  }

  /** Another verifier is another key: a changed password forgets the old one. */
  #keyOf(user: string, password: string, { salt, storedKey }: ScramVerifier): string {
    const text = JSON.stringify([user, password, salt, storedKey]);
    return createHmac('sha256', this.#secret).update(text).digest('base64');
  }

  #remember(outcome: 'right' | 'wrong', key: string): void {
    const remembered = this.#remembered[outcome];
    remembered.delete(key);
    remembered.add(key);
    const [oldest] = remembered;
    if (remembered.size > passwordLimits.rememberedMax && oldest !== undefined) {
      remembered.delete(oldest);
    }
  }

  async #pause(): Promise<void> {
    const { clock, signal } = this.#options;
    await clock.sleep(passwordLimits.pauseMs, signal).catch(() => undefined);
  }
}
