import type { HardState } from './entry.ts';
import { durabilityNeeded } from './message.ts';
import type { Message } from './message.ts';

/**
 * Holds messages back until what they promise is on the medium (thesis 3.8). Every batch that is handed
 * out for persisting has a token; tokens become durable in their order.
 */
interface Held {
  readonly token: number;
  readonly message: Message;
}

export class Outbox {
  #token = 0;
  #durable = 0;
  /** The batch that makes the newest hard state durable, and the one that does so for the log. */
  #hardStateToken = 0;
  #logToken = 0;
  #changed: { hardState: HardState | undefined; log: boolean } = {
    hardState: undefined,
    log: false,
  };
  #free: Message[] = [];
  #held: Held[] = [];

  hardStateChanged(hardState: HardState): void {
    this.#changed.hardState = hardState;
    this.#hardStateToken = this.#token + 1;
  }

  logChanged(): void {
    this.#changed.log = true;
    this.#logToken = this.#token + 1;
  }

  /** The newest term and vote are on the medium. */
  get isHardStateDurable(): boolean {
    return this.#hardStateToken <= this.#durable;
  }

  get hasChanges(): boolean {
    return this.#changed.hardState !== undefined || this.#changed.log;
  }

  send(message: Message): void {
    const needed = durabilityNeeded[message.type];
    const token =
      needed === 'none' ? 0 : Math.max(this.#hardStateToken, needed === 'log' ? this.#logToken : 0);
    if (token <= this.#durable) this.#free.push(message);
    else this.#held.push({ token, message });
  }

  /** Closes a batch; answers its token and the hard state that belongs to it. */
  closeBatch(): { readonly token: number; readonly hardState: HardState | undefined } {
    this.#token += 1;
    const { hardState } = this.#changed;
    this.#changed = { hardState: undefined, log: false };
    return { token: this.#token, hardState };
  }

  /** Everything up to the batch `token` is on the medium. */
  persisted(token: number): void {
    this.#durable = Math.max(this.#durable, token);
    this.#free.push(
      ...this.#held.filter((held) => held.token <= this.#durable).map(({ message }) => message),
    );
    this.#held = this.#held.filter((held) => held.token > this.#durable);
  }

  takeMessages(): Message[] {
    return this.#free.splice(0);
  }

  get hasMessages(): boolean {
    return this.#free.length > 0;
  }
}
