/** The handshakes of the RethinkDB wire protocol: V1_0 with SCRAM-SHA-256, V0_4 and V0_3 with a key. */
export interface Credentials {
  /** What is known of a user; an unknown one gets something that no proof fits. */
  verifier(user: string): {
    readonly salt: string;
    readonly iterations: number;
    readonly known: boolean;
  };
  /** The server's signature; undefined for a wrong proof. */
  check(user: string, authMessage: string, proof: string): string | undefined;
  /** Whether the key of an old handshake is the admin's password. */
  checkKey(key: string): Promise<boolean>;
  /** Random text of the server's part of the nonce. */
  nonce(): string;
}

export type HandshakeStep =
  | { readonly type: 'more' }
  | { readonly type: 'send'; readonly bytes: Buffer }
  | { readonly type: 'done'; readonly bytes: Buffer; readonly user: string }
  | { readonly type: 'refused'; readonly bytes: Buffer };

const magic = {
  v03: 0x5f75e83e,
  v04: 0x400c2d20,
  v10: 0x34c2bdc3,
  v01: 0x3f61ba36,
  v02: 0x723081e1,
} as const;
const jsonProtocol = 0x7e6970c7;
const messageBytesMax = 2_048;

const nul = (text: string): Buffer => Buffer.from(`${text}\0`);
const refused = (message: string, code: number): HandshakeStep => ({
  type: 'refused',
  bytes: nul(JSON.stringify({ error: message, error_code: code, success: false })),
});
const refusedOld = (message: string): HandshakeStep => ({
  type: 'refused',
  bytes: nul(`ERROR: ${message}\n`),
});

const greeting = nul(
  JSON.stringify({
    max_protocol_version: 0,
    min_protocol_version: 0,
    server_version: '2.4.4',
    success: true,
  }),
);

/** Attributes `n=...,r=...` of a SCRAM message. */
const attributes = (text: string): Map<string, string> =>
  new Map(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));

export class Handshake {
  readonly #credentials: Credentials;
  #state: 'magic' | 'key' | 'first' | 'final' = 'magic';
  #user = '';
  #firstBare = '';
  #serverFirst = '';
  #nonce = '';
  #rest: Buffer = Buffer.alloc(0);

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Bytes behind the handshake: the first queries. */
  get rest(): Buffer {
    return this.#rest;
  }

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
  }

  /** One step on what has come so far; call again until it says `more`, `done` or `refused`. */
  async step(): Promise<HandshakeStep> {
    if (this.#state === 'magic') return this.#magic();
    if (this.#state === 'key') return this.#key();
    const end = this.#rest.indexOf(0);
    if (end < 0)
      return this.#rest.length > messageBytesMax
        ? refused('Message too long.', 7)
        : { type: 'more' };
    const text = this.#rest.toString('utf8', 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(text) as Record<string, unknown>;
    } catch {
      return refused('Invalid JSON object.', 8);
    }
    return this.#state === 'first' ? this.#first(message) : this.#final(message);
  }

  #magic(): HandshakeStep {
    if (this.#rest.length < 4) return { type: 'more' };
    const number = this.#rest.readUInt32LE(0);
    this.#rest = this.#rest.subarray(4);
    if (number === magic.v10) {
      this.#state = 'first';
      return { type: 'send', bytes: greeting };
    }
    if (number === magic.v03 || number === magic.v04) {
      this.#state = 'key';
      return { type: 'send', bytes: Buffer.alloc(0) };
    }
    if (number === magic.v01 || number === magic.v02)
      return refusedOld('The PROTOBUF client protocol is no longer supported');
    return refusedOld(
      'Received an unsupported protocol version. This port is for RethinkDB queries. Does your client driver version not match the server?',
    );
  }

  async #key(): Promise<HandshakeStep> {
    if (this.#rest.length < 4) return { type: 'more' };
    const length = this.#rest.readUInt32LE(0);
    if (length > messageBytesMax)
      return refusedOld('Client provided an authorization key that is too long.');
    if (this.#rest.length < 8 + length) return { type: 'more' };
    const key = this.#rest.toString('utf8', 4, 4 + length);
    const protocol = this.#rest.readUInt32LE(4 + length);
    this.#rest = this.#rest.subarray(8 + length);
    if (protocol !== jsonProtocol)
      return refusedOld('The PROTOBUF client protocol is no longer supported');
    if (!(await this.#credentials.checkKey(key))) return refusedOld('Incorrect authorization key.');
    return { type: 'done', bytes: nul('SUCCESS'), user: 'admin' };
  }

  #first(message: Record<string, unknown>): HandshakeStep {
    const { protocol_version: version, authentication_method: method, authentication } = message;
    if (typeof version !== 'number') return refused('Expected a number for `protocol_version`.', 1);
    if (version !== 0) return refused('Unsupported `protocol_version`.', 2);
    if (typeof method !== 'string')
      return refused('Expected a string for `authentication_method`.', 3);
    if (method !== 'SCRAM-SHA-256') return refused('Unsupported `authentication_method`.', 4);
    if (typeof authentication !== 'string')
      return refused('Expected a string for `authentication`.', 5);
    const [channel = '', , ...bare] = authentication.split(',');
    if (channel !== 'n' && channel !== 'y') return refused('Channel binding is not supported.', 15);
    this.#firstBare = bare.join(',');
    const parts = attributes(this.#firstBare);
    const [user, nonce] = [parts.get('n'), parts.get('r')];
    if (user === undefined || nonce === undefined) return refused('Invalid encoding.', 10);
    this.#user = user.replaceAll('=2C', ',').replaceAll('=3D', '=');
    this.#nonce = nonce + this.#credentials.nonce();
    const { salt, iterations } = this.#credentials.verifier(this.#user);
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${iterations}`;
    this.#state = 'final';
    return {
      type: 'send',
      bytes: nul(JSON.stringify({ authentication: this.#serverFirst, success: true })),
    };
  }

  #final({ authentication }: Record<string, unknown>): HandshakeStep {
    if (typeof authentication !== 'string')
      return refused('Expected a string for `authentication`.', 5);
    const at = authentication.lastIndexOf(',p=');
    const parts = attributes(authentication.slice(0, Math.max(at, 0)));
    if (!this.#credentials.verifier(this.#user).known) return refused('Unknown user', 17);
    const message = `${this.#firstBare},${this.#serverFirst},${authentication.slice(0, Math.max(at, 0))}`;
    const signature =
      at < 0 || parts.get('r') !== this.#nonce
        ? undefined
        : this.#credentials.check(this.#user, message, authentication.slice(at + 3));
    if (signature === undefined) return refused('Wrong password', 12);
    return {
      type: 'done',
      bytes: nul(JSON.stringify({ authentication: `v=${signature}`, success: true })),
      user: this.#user,
    };
  }
}
