import { readUtf8 } from '../common/utf8.ts';
import type { Utf8Fault } from '../common/utf8.ts';
import { ScramExchange } from './scram-exchange.ts';
import type { Refusal, ScramCredentials, ScramStep } from './scram-exchange.ts';

/**
 * The handshakes of the RethinkDB wire protocol as a state machine over bytes: V1_0 with SCRAM-SHA-256,
 * V0_4 and V0_3 with a key. It holds at most what was pushed, and never waits for the network.
 */
export interface Credentials extends ScramCredentials {
  /** Whether the key of an old handshake is the admin's password; `busy` when too many are being checked. */
  checkKey(key: string): Promise<'right' | 'wrong' | 'busy'>;
}

/** Who may try to log in now, seen from one address. It may be kept by another process. */
export interface LoginGate {
  /** For how long this user may not try from here; 0 when he may. */
  waitMs(user: string): number | Promise<number>;
  /**
   * Counts how a login ended, and answers like `waitMs`: a guess that was refused meanwhile is not counted, and nobody
   * learns whether it was right.
   */
  settle(user: string, isRight: boolean): number | Promise<number>;
}

/** What the handshakes of one address ask. */
export interface Logins<Gate extends LoginGate = LoginGate> {
  readonly credentials: Credentials;
  readonly gate: Gate;
}

export type HandshakeStep =
  | { readonly type: 'more' }
  | { readonly type: 'send'; readonly bytes: Buffer }
  | { readonly type: 'done'; readonly bytes: Buffer; readonly session: SessionStart }
  | {
      readonly type: 'refused';
      readonly bytes: Buffer;
      readonly reason: 'malformed' | 'failed' | 'locked';
    };

export interface SessionStart {
  readonly user: string;
  /** V0_3: one query after the other, answered in order. */
  readonly sequential: boolean;
}

const magic = {
  v01: 0x3f61ba36,
  v02: 0x723081e1,
  v03: 0x5f75e83e,
  v04: 0x400c2d20,
  v10: 0x34c2bdc3,
} as const;
const jsonProtocol = 0x7e6970c7;
const protobufProtocol = 0x271ffc41;
/** With the zero at its end, as in RethinkDB. */
const messageBytesMax = 2_047;
const keyBytesMax = 2_048;
const keyUser = 'admin';

const nul = (text: string): Buffer => Buffer.from(`${text}\0`);
const noBytes = Buffer.alloc(0);

const refusedOld = (
  message: string,
  reason: 'malformed' | 'failed' | 'locked' = 'malformed',
): HandshakeStep => ({ type: 'refused', bytes: nul(`ERROR: ${message}\n`), reason });

const refused = (
  { message, code }: Refusal,
  reason: 'malformed' | 'failed' | 'locked' = 'malformed',
): HandshakeStep => {
  const bytes = nul(JSON.stringify({ error: message, error_code: code, success: false }));
  return { type: 'refused', bytes, reason };
};

const errors = {
  version: { code: 1, message: 'Expected a number for `protocol_version`.' },
  unsupportedVersion: { code: 2, message: 'Unsupported `protocol_version`.' },
  method: { code: 3, message: 'Expected a string for `authentication_method`.' },
  unsupportedMethod: { code: 4, message: 'Unsupported `authentication_method`.' },
  authentication: { code: 5, message: 'Expected a string for `authentication`.' },
  tooLong: { code: 7, message: 'Limited read buffer size.' },
  json: { code: 8, message: 'Invalid JSON object.' },
} as const satisfies Record<string, Refusal>;

const protobufGone = 'The PROTOBUF client protocol is no longer supported';
const otherProtocol =
  'Received an unsupported protocol version. This port is for RethinkDB queries. Does your client driver version not match the server?';

const greeting = nul(
  JSON.stringify({
    max_protocol_version: 0,
    min_protocol_version: 0,
    server_version: '2.4.4',
    success: true,
  }),
);

const tooMany = (user: string, waitMs: number): string =>
  `Too many failed logins of user \`${user}\` from this address: try again in ${Math.ceil(waitMs / 1_000)} s`;

const tooManyAtOnce = 'Too many logins at once: try again in a second';

/** A wrong password, as opposed to a malformed message; it counts. */
const isGuess = ({ code }: Refusal): boolean => code === 12 || code === 17;

export class Handshake {
  readonly #credentials: Credentials;
  readonly #gate: LoginGate;
  readonly #scram: ScramExchange;
  #state: 'magic' | 'key' | 'first' | 'final' = 'magic';
  #sequential = false;
  #rest: Buffer = noBytes;

  constructor({ credentials, gate }: Logins) {
    this.#credentials = credentials;
    this.#gate = gate;
    this.#scram = new ScramExchange(credentials);
  }

  /** Bytes behind the handshake: the first queries. */
  get rest(): Buffer {
    return this.#rest;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
  }

  /** One step on what has come so far; call again until it says `more`, `done` or `refused`. */
  async step(): Promise<HandshakeStep> {
    if (this.#state === 'magic') return this.#magic();
    if (this.#state === 'key') return this.#key();
    const end = this.#rest.subarray(0, messageBytesMax).indexOf(0);
    if (end < 0) {
      return this.#rest.length < messageBytesMax ? { type: 'more' } : refused(errors.tooLong);
    }
    const message = objectOf(readUtf8(this.#rest.subarray(0, end)));
    this.#rest = this.#rest.subarray(end + 1);
    if (message === undefined) return refused(errors.json);
    return this.#state === 'first' ? this.#first(message) : this.#final(message);
  }

  #magic(): HandshakeStep {
    if (this.#rest.length < 4) return { type: 'more' };
    const number = this.#rest.readUInt32LE(0);
    this.#rest = this.#rest.subarray(4);
    switch (number) {
      case magic.v10:
        this.#state = 'first';
        return { type: 'send', bytes: greeting };
      case magic.v04:
      case magic.v03:
        this.#state = 'key';
        this.#sequential = number === magic.v03;
        return { type: 'send', bytes: noBytes };
      case magic.v02:
      case magic.v01:
        return refusedOld(protobufGone);
      default:
        return refusedOld(otherProtocol);
    }
  }

  /** Length, key, protocol. */
  async #key(): Promise<HandshakeStep> {
    if (this.#rest.length < 4) return { type: 'more' };
    const length = this.#rest.readUInt32LE(0);
    if (length > keyBytesMax) {
      return refusedOld('Client provided an authorization key that is too long.');
    }
    if (this.#rest.length < 8 + length) return { type: 'more' };
    const key = readUtf8(this.#rest.subarray(4, 4 + length));
    const protocol = this.#rest.readUInt32LE(4 + length);
    this.#rest = this.#rest.subarray(8 + length);
    const locked = (waitMs: number): HandshakeStep =>
      refusedOld(tooMany(keyUser, waitMs), 'locked');
    const beforeMs = await this.#gate.waitMs(keyUser);
    if (beforeMs > 0) return locked(beforeMs);
    const outcome = typeof key === 'string' ? await this.#credentials.checkKey(key) : 'wrong';
    if (outcome === 'busy') return refusedOld(tooManyAtOnce, 'locked');
    // Many guesses may have been on their way at once.
    const afterMs = await this.#gate.settle(keyUser, outcome === 'right');
    if (afterMs > 0) return locked(afterMs);
    if (outcome === 'wrong') return refusedOld('Incorrect authorization key.', 'failed');
    if (protocol === protobufProtocol) return refusedOld(protobufGone);
    if (protocol !== jsonProtocol) {
      return refusedOld(`Unrecognized protocol specified: '${protocol | 0}'`);
    }
    const session = { user: keyUser, sequential: this.#sequential };
    return { type: 'done', bytes: nul('SUCCESS'), session };
  }

  async #first(message: Record<string, unknown>): Promise<HandshakeStep> {
    const { protocol_version: version, authentication_method: method, authentication } = message;
    if (typeof version !== 'number') return refused(errors.version);
    if (version !== 0) return refused(errors.unsupportedVersion);
    if (typeof method !== 'string') return refused(errors.method);
    if (method !== 'SCRAM-SHA-256') return refused(errors.unsupportedMethod);
    if (typeof authentication !== 'string') return refused(errors.authentication);
    const step = await this.#scram.first(authentication);
    if (step.type === 'refused') return refused(step.refusal);
    this.#state = 'final';
    return { type: 'send', bytes: answerOf(step) };
  }

  async #final({ authentication }: Record<string, unknown>): Promise<HandshakeStep> {
    if (typeof authentication !== 'string') return refused(errors.authentication);
    const { user } = this.#scram;
    const locked = (waitMs: number): HandshakeStep =>
      refused({ code: 20, message: tooMany(user, waitMs) }, 'locked');
    const beforeMs = await this.#gate.waitMs(user);
    if (beforeMs > 0) return locked(beforeMs);
    const step = await this.#scram.final(authentication);
    const isRight = step.type !== 'refused';
    if (!isRight && !isGuess(step.refusal)) return refused(step.refusal);
    const afterMs = await this.#gate.settle(user, isRight);
    if (afterMs > 0) return locked(afterMs);
    if (!isRight) return refused(step.refusal, 'failed');
    return { type: 'done', bytes: answerOf(step), session: { user, sequential: false } };
  }
}

const answerOf = ({ text }: Extract<ScramStep, { type: 'answer' }>): Buffer =>
  nul(JSON.stringify({ authentication: text, success: true }));

function objectOf(text: string | Utf8Fault): Record<string, unknown> | undefined {
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : undefined;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
