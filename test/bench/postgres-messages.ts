/** The messages of PostgreSQL's protocol, version 3, as far as the benchmark needs them. */
const headerBytes = 5;
const lengthBytes = 4;

/** The types of messages whose bodies are kept: authentication, command tags, errors and the end of an answer. */
const kept = new Set(['R', 'C', 'E', 'Z'].map((type) => type.charCodeAt(0)));

/**
 * Finds the messages in what the server sends, however it is cut. Bodies of rows are skipped and never copied, so
 * that the figures are those of the server.
 */
export class MessageReader {
  readonly #found: (type: string, body: Buffer) => void;
  readonly #header = Buffer.alloc(headerBytes);
  #headerHas = 0;
  #missing = 0;
  #pieces: Buffer[] = [];

  constructor(found: (type: string, body: Buffer) => void) {
    this.#found = found;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#headerHas < headerBytes) {
        this.#header[this.#headerHas] = chunk[at] ?? 0;
        this.#headerHas += 1;
        at += 1;
        if (this.#headerHas < headerBytes) continue;
        this.#missing = this.#header.readUInt32BE(1) - lengthBytes;
        if (this.#missing < 0) throw new Error('the server sent a message of negative length');
      }
      const taken = Math.min(this.#missing, chunk.byteLength - at);
      if (kept.has(this.#header[0] ?? 0)) this.#pieces.push(chunk.subarray(at, at + taken));
      at += taken;
      this.#missing -= taken;
      if (this.#missing === 0) this.#end();
    }
  }

  #end(): void {
    const [type = 0] = this.#header;
    const body = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#headerHas = 0;
    if (kept.has(type)) this.#found(String.fromCharCode(type), body);
  }
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
};

const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
};

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, lengthBytes);
  return Buffer.concat([Buffer.from(type), int32(bytes), ...parts]);
};

export const startupMessage = (user: string, database: string): Buffer =>
  message('', int32(0x3_0000), ...['user', user, 'database', database, ''].map(text));

/** The first answer to a request for SCRAM names the mechanism, the second does not. */
export const saslMessage = (answer: string, mechanism?: string): Buffer => {
  const bytes = Buffer.from(answer);
  if (mechanism === undefined) return message('p', bytes);
  return message('p', text(mechanism), int32(bytes.byteLength), bytes);
};

export const parseMessage = (name: string, sql: string): Buffer =>
  message('P', text(name), text(sql), int16(0));

const unnamed = text('');
const execute = Buffer.concat([message('E', unnamed, int32(0)), message('S')]);

/** Bind, Execute and Sync of a prepared statement, values and results as text. */
export function runMessages(name: string, values: readonly string[]): Buffer {
  const encoded = values.flatMap((value) => {
    const bytes = Buffer.from(value);
    return [int32(bytes.byteLength), bytes];
  });
  const count = int16(values.length);
  return Buffer.concat([
    message('B', unnamed, text(name), int16(0), count, ...encoded, int16(0)),
    execute,
  ]);
}

/** The severity, code and message of an ErrorResponse. */
export function errorText(body: Buffer): string {
  const fields = body.toString('utf8').split('\0');
  const field = (type: string): string =>
    fields.find((each) => each.startsWith(type))?.slice(1) ?? '';
  return `${field('S')} ${field('C')}: ${field('M')}`;
}

/** The number of rows in a command's tag, such as `SELECT 100` and `INSERT 0 1`; 0 for tags without one. */
export const rowsOf = (body: Buffer): number =>
  Number(/ (\d+)\0$/.exec(body.toString('latin1'))?.[1] ?? 0);
