import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { scramExchange } from './scram.ts';

/**
 * One connection that speaks the driver protocol and nothing else: a handshake with SCRAM, then frames of JSON
 * that are sent as they are. It has one query under way, and looks at no more of a response than its first
 * bytes, so that the figures are those of the server.
 */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const magic = 0x34_c2_bd_c3;
const headerBytes = 12;
/** Of a response: `t` comes first from RethinkDB and from PhotonDB. */
const typePattern = /"t":(\d+)/;
const goodTypes = new Set([1, 2, 3, 4]);
const partial = 3;
const continueQuery = '[2]';

/** A query that is encoded once. */
export const queryText = (term: unknown, options: unknown = {}): string =>
  JSON.stringify([1, term, options]);

export class RawConnection {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #wanted: { readonly bytes: () => number; readonly found: (bytes: Buffer) => void } | undefined;
  #failed: (error: Error) => void = () => undefined;
  #token = 0;
  #end: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.byteLength;
      this.#look();
    });
    const ended = (error = new Error('the server closed the connection')): void => {
      this.#end ??= error;
      this.#failed(error);
    };
    socket.on('error', ended);
    socket.on('close', () => ended());
  }

  static async open(address: Address, user = 'admin', password = ''): Promise<RawConnection> {
    const socket = connect(address);
    await once(socket, 'connect');
    const connection = new RawConnection(socket);
    await connection.#shake(user, password);
    return connection;
  }

  /** Runs a query to its last batch; answers the text of its first response. */
  async run(query: string): Promise<string> {
    this.#token += 1;
    const first = await this.#ask(query);
    for (let type = typeOf(first); type === partial;) type = typeOf(await this.#ask(continueQuery));
    return first;
  }

  close(): void {
    this.#failed = () => undefined;
    this.#socket.destroy();
  }

  async #ask(query: string): Promise<string> {
    const bytes = Buffer.byteLength(query);
    const frame = Buffer.allocUnsafe(headerBytes + bytes);
    frame.writeBigUInt64LE(BigInt(this.#token), 0);
    frame.writeUInt32LE(bytes, 8);
    frame.write(query, headerBytes);
    this.#socket.write(frame);
    const response = await this.#read(() => {
      if (this.#bytes < headerBytes) return headerBytes;
      return headerBytes + this.#whole().readUInt32LE(8);
    });
    return response.toString('utf8', headerBytes);
  }

  async #shake(user: string, password: string): Promise<void> {
    const hello = Buffer.alloc(4);
    hello.writeUInt32LE(magic);
    this.#socket.write(hello);
    await this.#message();
    const exchange = scramExchange(user, password);
    this.#send({
      protocol_version: 0,
      authentication_method: 'SCRAM-SHA-256',
      authentication: exchange.first,
    });
    this.#send({ authentication: exchange.final(await this.#message()) });
    await this.#message();
  }

  #send(message: object): void {
    this.#socket.write(`${JSON.stringify(message)}\0`);
  }

  /** A message of the handshake ends with a zero; answers its `authentication`. */
  async #message(): Promise<string> {
    const bytes = await this.#read(() => {
      const end = this.#whole().indexOf(0);
      return end < 0 ? this.#bytes + 1 : end + 1;
    });
    const text = bytes.toString('utf8', 0, bytes.byteLength - 1);
    const message = JSON.parse(text) as { success: boolean; authentication?: string };
    if (!message.success) throw new Error(`the handshake failed: ${text}`);
    return message.authentication ?? '';
  }

  #whole(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #read(bytes: () => number): Promise<Buffer> {
    // It may have ended while nothing was asked.
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((found, failed) => {
      this.#wanted = { bytes, found };
      this.#failed = failed;
      this.#look();
    });
  }

  #look(): void {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const bytes = wanted.bytes();
    if (this.#bytes < bytes || bytes === headerBytes) return;
    const whole = this.#whole();
    this.#wanted = undefined;
    this.#chunks = whole.byteLength > bytes ? [whole.subarray(bytes)] : [];
    this.#bytes -= bytes;
    wanted.found(whole.subarray(0, bytes));
  }
}

function typeOf(response: string): number {
  const type = Number(typePattern.exec(response.slice(0, 100))?.[1]);
  if (!goodTypes.has(type)) throw new Error(`the server answered ${response.slice(0, 500)}`);
  return type;
}
