import type { Logins } from '../../driver-protocol/handshake.ts';
import type { Fields } from './fields.ts';

/** Answers the handshakes of query workers (`remote-logins.ts`). */
export class CoreLogins {
  readonly #loginsOf: (address: string) => Logins;

  constructor(loginsOf: (address: string) => Logins) {
    this.#loginsOf = loginsOf;
  }

  async verifier(fields: Fields): Promise<unknown> {
    const { salt, iterations, known } = await this.#of('').credentials.verifier(fields.text());
    return [salt, iterations, known];
  }

  async proof(fields: Fields): Promise<unknown> {
    const [user, message, proof] = [fields.text(), fields.text(), fields.text()];
    return [(await this.#of('').credentials.check(user, message, proof)) ?? null];
  }

  async key(fields: Fields): Promise<unknown> {
    return [await this.#of(fields.text()).credentials.checkKey(fields.text())];
  }

  async waitMs(fields: Fields): Promise<unknown> {
    return [Math.ceil(await this.#of(fields.text()).gate.waitMs(fields.text()))];
  }

  async settle(fields: Fields): Promise<unknown> {
    const { gate } = this.#of(fields.text());
    return [Math.ceil(await gate.settle(fields.text(), fields.flag()))];
  }

  #of(address: string): Logins {
    return this.#loginsOf(address);
  }
}
