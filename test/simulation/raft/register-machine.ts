import { assert } from '../../../dataplane/common/assert.ts';

/**
 * The replicated state of the simulated groups: registers by name. A command carries the session and the
 * sequence number of its client, so that a retry is applied once. `digest` depends on every command in
 * its order: equal digests at an index mean equal histories.
 */
export interface Command {
  readonly session: string;
  readonly sequence: number;
  readonly key: string;
  readonly value: string;
}

export const encodeCommand = (command: Command): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(command));

export const decodeCommand = (payload: Uint8Array): Command =>
  JSON.parse(new TextDecoder().decode(payload)) as Command;

export class RegisterMachine {
  index = 0;
  digest = 0;
  #registers = new Map<string, string>();
  #sessions = new Map<string, number>();
  /** How often a command was found to be a retry of one that is applied. */
  retries = 0;

  read(key: string): string | undefined {
    return this.#registers.get(key);
  }

  apply(index: number, payload: Uint8Array | undefined): void {
    assert(index === this.index + 1, `entry ${index} is applied behind ${this.index}`);
    this.index = index;
    const text = payload === undefined ? '' : new TextDecoder().decode(payload);
    for (const byte of `${index}:${text}`) {
      this.digest = (Math.imul(this.digest ^ byte.charCodeAt(0), 0x01000193) + 1) >>> 0;
    }
    if (payload === undefined) return;
    const { session, sequence, key, value } = JSON.parse(text) as Command;
    if ((this.#sessions.get(session) ?? 0) >= sequence) {
      this.retries += 1;
      return;
    }
    this.#sessions.set(session, sequence);
    this.#registers.set(key, value);
  }

  /** The newest sequence number of a session that is applied. */
  appliedOf(session: string): number {
    return this.#sessions.get(session) ?? 0;
  }

  copy(): RegisterMachine {
    const copy = new RegisterMachine();
    copy.index = this.index;
    copy.digest = this.digest;
    copy.#registers = new Map(this.#registers);
    copy.#sessions = new Map(this.#sessions);
    return copy;
  }
}
