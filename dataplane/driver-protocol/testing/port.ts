import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { makeVerifier, checkProof, verifies } from '../../security/scram.ts';
import type { ScramVerifier } from '../../security/scram.ts';
import { LoginGuard } from '../../security/login-guard.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import type { Batch, Cursor, GlobalOptions, Outcome, QueryEngine } from '../../query/engine.ts';
import { createQueryEngine } from '../../query/create-engine.ts';
import { MemoryEnvironment } from '../../query/testing/memory-environment.ts';
import { DriverServer } from '../driver-server.ts';
import type { Credentials } from '../handshake.ts';
import { protocolLimits } from '../limits.ts';
import type { ProtocolLimits } from '../limits.ts';
import { machineChance } from '../../node/chance.ts';

/** Resolves when the condition holds; the test's own time-out is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A cursor whose batches a test makes. */
export class FakeCursor implements Cursor {
  readonly notes: readonly number[];
  closed = false;
  asked = 0;
  readonly #batch: (signal: AbortSignal) => Promise<Batch>;

  constructor(batch: (signal: AbortSignal) => Promise<Batch>, notes: readonly number[] = []) {
    this.#batch = batch;
    this.notes = notes;
  }

  next(_limits: unknown, signal: AbortSignal): Promise<Batch> {
    this.asked += 1;
    return this.#batch(signal);
  }

  close(): void {
    this.closed = true;
  }
}

/** Rejects when the query is aborted, and never resolves. */
export const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

export type Run = (
  term: unknown,
  signal: AbortSignal,
  options: GlobalOptions,
) => Outcome | Promise<Outcome>;

/** Answers every term with itself. */
export const echo: Run = (term) => ({ type: 'atom', json: JSON.stringify(term) });

const cheap = { salt: Buffer.from('0123456789abcdef').toString('base64'), iterations: 1 };

function credentialsOf(users: ReadonlyMap<string, ScramVerifier>): Credentials {
  return {
    verifier: (user) => ({ ...(users.get(user) ?? cheap), known: users.has(user) }),
    check: (user, message, proof) => {
      const verifier = users.get(user);
      return verifier === undefined ? undefined : checkProof(verifier, message, proof);
    },
    checkKey: async (key) => {
      const admin = users.get('admin');
      return admin !== undefined && (await verifies(admin, key)) ? 'right' : 'wrong';
    },
    nonce: () => 'SERVERNONCE',
  };
}

export const password = 'correct horse';

/** A driver port on a free port of loopback, with an engine and a clock of the test's. */
export class Port {
  readonly clock = new ManualClock();
  readonly faults: unknown[] = [];
  readonly server: DriverServer;
  readonly #clients = new Set<Client>();

  private constructor(
    users: ReadonlyMap<string, ScramVerifier>,
    run: Run,
    { connectionsMax = 100, ...limits }: Partial<ProtocolLimits> & { connectionsMax?: number },
  ) {
    const environment = new MemoryEnvironment();
    environment.pause = () => new Promise((resolve) => setImmediate(resolve));
    const reader = createQueryEngine(environment);
    const engine: QueryEngine = {
      read: (bytes, signal) => reader.read(bytes, signal),
      run: (term, options, { signal }) => run(term, signal, options),
    };
    const guard = new LoginGuard(this.clock);
    const credentials = credentialsOf(users);
    this.server = new DriverServer({
      engine,
      server: { id: 'id', name: 'name' },
      limits: { ...protocolLimits, ...limits },
      clock: this.clock,
      chance: machineChance,
      connectionsMax,
      loginsOf: (address) => ({ credentials, gate: guard.at(address) }),
      internalError: (error) => this.faults.push(error),
    });
  }

  static async open(
    run: Run = echo,
    limits: Partial<ProtocolLimits> & { connectionsMax?: number } = {},
  ): Promise<Port> {
    const verifier = await makeVerifier(password, machineChance);
    const users = new Map(['admin', 'ann', 'bob'].map((user) => [user, verifier]));
    const port = new Port(users, run, limits);
    port.server.tcp.listen(0, '127.0.0.1');
    await once(port.server.tcp, 'listening');
    return port;
  }

  async dial(): Promise<Client> {
    const socket = connect((this.server.tcp.address() as AddressInfo).port, '127.0.0.1');
    const client = new Client(socket);
    this.#clients.add(client);
    await once(socket, 'connect');
    return client;
  }

  async signedIn(magic: number = magics.v04): Promise<Client> {
    const client = await this.dial();
    client.key(password, magic);
    const said = await client.text();
    if (said !== 'SUCCESS') throw new Error(said);
    return client;
  }

  async close(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    this.server.destroy();
    this.server.tcp.close();
    await once(this.server.tcp, 'close');
  }
}

export const magics = {
  v01: 0x3f61ba36,
  v03: 0x5f75e83e,
  v04: 0x400c2d20,
  v10: 0x34c2bdc3,
} as const;
const json = 0x7e6970c7;

export const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, at) => bytes.writeUInt32LE(value, 4 * at));
  return bytes;
};

export function frame(text: string, token: number): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(token));
  head.writeUInt32LE(body.length, 8);
  return Buffer.concat([head, body]);
}

export interface Answer {
  readonly token: number;
  readonly text: string;
}

/** The other end: raw bytes. */
export class Client {
  readonly socket: Socket;
  closed = false;
  /** As they came: joined when something is whole, not for each of the many of a large answer. */
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => undefined);
  }

  key(key: string, magic: number = magics.v04, protocol = json): void {
    const bytes = Buffer.from(key);
    this.socket.write(Buffer.concat([u32(magic, bytes.length), bytes, u32(protocol)]));
  }

  say(message: object | string): void {
    this.socket.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\0`);
  }

  /** A text up to a zero. */
  async text(): Promise<string> {
    await until(() => this.#chunks.some((chunk) => chunk.includes(0)) || this.closed);
    const bytes = this.#joined();
    const end = bytes.indexOf(0);
    this.#keep(bytes.subarray(end + 1));
    return bytes.toString('utf8', 0, end);
  }

  async object(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.text()) as Record<string, unknown>;
  }

  query(text: string, token = 1): void {
    this.socket.write(frame(text, token));
  }

  #joined(): Buffer {
    const bytes = Buffer.concat(this.#chunks);
    this.#keep(bytes);
    return bytes;
  }

  #keep(bytes: Buffer): void {
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
  }

  get #isWhole(): boolean {
    if (this.#length < 12) return false;
    const [first = Buffer.alloc(0)] = this.#chunks;
    return this.#length >= 12 + (first.length < 12 ? this.#joined() : first).readUInt32LE(8);
  }

  async answer(): Promise<Answer> {
    await until(() => this.#isWhole || this.closed);
    if (!this.#isWhole) throw new Error('closed without an answer');
    const bytes = this.#joined();
    const end = 12 + bytes.readUInt32LE(8);
    this.#keep(bytes.subarray(end));
    return { token: Number(bytes.readBigUInt64LE(0)), text: bytes.toString('utf8', 12, end) };
  }

  async ask(text: string, token = 1): Promise<string> {
    this.query(text, token);
    return (await this.answer()).text;
  }

  /** Reads on, and forgets what comes. */
  discard(): void {
    this.socket.removeAllListeners('data').resume();
  }

  gone(): Promise<void> {
    return until(() => this.closed);
  }
}
