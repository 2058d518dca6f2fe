import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { MessageReader, errorText, parseMessage, rowsOf } from './postgres-messages.ts';
import { runMessages, saslMessage, startupMessage } from './postgres-messages.ts';
import type { Address } from './raw-connection.ts';
import { scramExchange } from './scram.ts';
import type { ScramExchange } from './scram.ts';

/** A statement, prepared when a connection first runs it. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly string[];
  /** How many rows it must answer or change; another number is an error. */
  readonly rows?: number;
}

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const mechanism = 'SCRAM-SHA-256';
const authentication = { ok: 0, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

/** The counterpart of `RawConnection`: one statement under way, rows counted by the server and not looked at. */
export class PostgresConnection {
  readonly #socket: Socket;
  readonly #exchange: ScramExchange;
  readonly #names = new Map<string, string>();
  #rows = 0;
  #error: Error | undefined;
  #waiting: PromiseWithResolvers<number> | undefined;

  private constructor(socket: Socket, { user, password }: Login) {
    this.#socket = socket;
    this.#exchange = scramExchange(user, password);
    socket.setNoDelay(true);
    const reader = new MessageReader((type, body) => this.#take(type, body));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.feed(chunk);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () =>
      this.#fail(this.#error ?? new Error('the server closed the connection')),
    );
  }

  static async open(address: Address, login: Login): Promise<PostgresConnection> {
    const socket = connect(address);
    await once(socket, 'connect');
    const connection = new PostgresConnection(socket, login);
    await connection.#ask(startupMessage(login.user, login.database));
    return connection;
  }

  async run({ sql, values, rows }: Statement): Promise<void> {
    const known = this.#names.get(sql);
    const name = known ?? `s${this.#names.size}`;
    const running = runMessages(name, values);
    const sent = known === undefined ? Buffer.concat([parseMessage(name, sql), running]) : running;
    this.#names.set(sql, name);
    const answered = await this.#ask(sent);
    if (rows !== undefined && answered !== rows)
      throw new Error(`PostgreSQL answered ${answered} rows instead of ${rows} to: ${sql}`);
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #ask(bytes: Buffer): Promise<number> {
    this.#waiting = Promise.withResolvers();
    this.#rows = 0;
    this.#socket.write(bytes);
    return this.#waiting.promise;
  }

  #take(type: string, body: Buffer): void {
    if (type === 'R') this.#authenticate(body);
    else if (type === 'C') this.#rows = rowsOf(body);
    else if (type === 'E') this.#error = new Error(`PostgreSQL answered ${errorText(body)}`);
    else if (this.#error === undefined) this.#waiting?.resolve(this.#rows);
    else this.#fail(this.#error);
  }

  #authenticate(body: Buffer): void {
    const code = body.readInt32BE(0);
    const detail = body.toString('utf8', 4);
    if (code === authentication.sasl && detail.split('\0').includes(mechanism))
      this.#socket.write(saslMessage(this.#exchange.first, mechanism));
    else if (code === authentication.saslContinue)
      this.#socket.write(saslMessage(this.#exchange.final(detail)));
    else if (code !== authentication.ok && code !== authentication.saslFinal)
      this.#socket.destroy(new Error(`PostgreSQL wants the authentication ${code} ${detail}`));
  }

  #fail(error: Error): void {
    this.#error = undefined;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
