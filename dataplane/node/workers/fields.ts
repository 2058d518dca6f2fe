import { ChannelFrameError } from '../../workers/errors.ts';

/** Reads the fields of a message that another process has sent: what is of another type is refused. */
export class Fields {
  readonly #fields: readonly unknown[];
  #at = 0;

  constructor(body: unknown) {
    if (!Array.isArray(body)) throw refused('an array', body);
    this.#fields = body;
  }

  text(): string {
    const value = this.#next();
    if (typeof value !== 'string') throw refused('a text', value);
    return value;
  }

  number(): number {
    const value = this.#next();
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw refused('a count', value);
    return value;
  }

  flag(): boolean {
    const value = this.#next();
    if (typeof value !== 'boolean') throw refused('a flag', value);
    return value;
  }

  bytes(): Uint8Array {
    const value = this.#next();
    if (!(value instanceof Uint8Array)) throw refused('bytes', value);
    return value;
  }

  array(): readonly unknown[] {
    const value = this.#next();
    if (!Array.isArray(value)) throw refused('an array', value);
    return value;
  }

  /** Null stands for a field that is not there. */
  optional<T>(read: (fields: this) => T): T | undefined {
    const value = this.#fields[this.#at];
    if (value !== null && value !== undefined) return read(this);
    this.#at += 1;
    return undefined;
  }

  oneOf<T extends string>(allowed: readonly T[]): T {
    const value = this.text();
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw refused(allowed.join(' or '), value);
    return found;
  }

  /** Data that its reader checks. */
  any(): unknown {
    return this.#next();
  }

  #next(): unknown {
    const value = this.#fields[this.#at];
    this.#at += 1;
    return value;
  }
}

export const refused = (wanted: string, found: unknown): ChannelFrameError =>
  new ChannelFrameError(`A message holds ${typeof found} in place of ${wanted}.`);
