import type { Logger } from './logger.ts';

/** A logger that keeps its last messages, for the table `logs`. */
export interface PastMessage {
  readonly atMs: number;
  readonly level: 'error' | 'warn' | 'info';
  readonly message: string;
}

/** As many as RethinkDB answers for a server. */
const messagesMax = 1_000;

export class LogHistory implements Logger {
  readonly #inner: Logger;
  readonly #now: () => number;
  readonly #messages: PastMessage[] = [];

  constructor(inner: Logger, now: () => number) {
    this.#inner = inner;
    this.#now = now;
  }

  /** The oldest first. */
  get messages(): readonly PastMessage[] {
    return this.#messages;
  }

  error(message: string, fields?: object): void {
    this.#keep('error', message, fields);
    this.#inner.error(message, fields);
  }

  warn(message: string, fields?: object): void {
    this.#keep('warn', message, fields);
    this.#inner.warn(message, fields);
  }

  info(message: string, fields?: object): void {
    this.#keep('info', message, fields);
    this.#inner.info(message, fields);
  }

  /** Not kept: there may be one for each query. */
  debug(message: string, fields?: object): void {
    this.#inner.debug(message, fields);
  }

  #keep(level: PastMessage['level'], message: string, fields: object = {}): void {
    const text =
      Object.keys(fields).length === 0 ? message : `${message} ${JSON.stringify(fields)}`;
    this.#messages.push({ atMs: this.#now(), level, message: text });
    if (this.#messages.length > messagesMax) this.#messages.shift();
  }
}
