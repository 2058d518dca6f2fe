/**
 * The two messages of SCRAM-SHA-256 (RFC 5802, RFC 7677) as RethinkDB's server reads them: no channel
 * binding, no extensions, and its own numbers of errors.
 */
interface ScramVerifier {
  readonly salt: string;
  readonly iterations: number;
  readonly known: boolean;
}

type Maybe<T> = T | Promise<T>;

/** They may be kept by another process. */
export interface ScramCredentials {
  /** What is known of a user; an unknown one gets something that no proof fits. */
  verifier(user: string): Maybe<ScramVerifier>;
  /** The server's signature; undefined for a wrong proof. */
  check(user: string, authMessage: string, proof: string): Maybe<string | undefined>;
  /** Random text of the server's part of the nonce. */
  nonce(): string;
}

export interface Refusal {
  readonly code: number;
  readonly message: string;
}

const scramErrors = {
  encoding: { code: 10, message: 'Invalid encoding' },
  extensions: { code: 11, message: 'Extensions not supported' },
  wrongPassword: { code: 12, message: 'Wrong password' },
  channelBinding: { code: 15, message: 'Channel binding is not supported' },
  unknownUser: { code: 17, message: 'Unknown user' },
  userEncoding: { code: 18, message: 'Invalid username encoding' },
  other: { code: 20, message: 'Other error' },
} as const satisfies Record<string, Refusal>;

/** What the driver says of a header without channel binding and without another identity, `n,,`. */
const noBinding = 'biws';

type Attributes = ReadonlyMap<string, string>;
export type ScramStep =
  | { readonly type: 'answer'; readonly text: string }
  | { readonly type: 'refused'; readonly refusal: Refusal };

const refused = (refusal: Refusal): ScramStep => ({ type: 'refused', refusal });

export class ScramExchange {
  readonly #credentials: ScramCredentials;
  #user = '';
  #nonce = '';
  #firstBare = '';
  #serverFirst = '';

  constructor(credentials: ScramCredentials) {
    this.#credentials = credentials;
  }

  /** Empty until the first message was understood. */
  get user(): string {
    return this.#user;
  }

  /** `n,,n=<user>,r=<nonce>` */
  async first(message: string): Promise<ScramStep> {
    if (!message.startsWith('n,')) return refused(scramErrors.channelBinding);
    const header = message.indexOf(',', 2);
    if (header < 0) return refused(scramErrors.encoding);
    this.#firstBare = message.slice(header + 1);
    const attributes = attributesOf(this.#firstBare, 'nr');
    if ('code' in attributes) return refused(attributes);
    const user = userOf(attributes.get('n') ?? '');
    if (user === undefined) return refused(scramErrors.userEncoding);
    this.#user = user;
    this.#nonce = `${attributes.get('r')}${this.#credentials.nonce()}`;
    const { salt, iterations } = await this.#credentials.verifier(user);
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${iterations}`;
    return { type: 'answer', text: this.#serverFirst };
  }

  /** `c=biws,r=<nonce>,p=<proof>` */
  async final(message: string): Promise<ScramStep> {
    const { known } = await this.#credentials.verifier(this.#user);
    if (!known) return refused(scramErrors.unknownUser);
    const attributes = attributesOf(message, 'crp');
    if ('code' in attributes) return refused(attributes);
    if (attributes.get('c') !== noBinding) return refused(scramErrors.encoding);
    const withoutProof = message.slice(0, message.indexOf(',p='));
    const signed = `${this.#firstBare},${this.#serverFirst},${withoutProof}`;
    const proof = attributes.get('p') ?? '';
    const signature = await this.#credentials.check(this.#user, signed, proof);
    if (signature === undefined) return refused(scramErrors.wrongPassword);
    if (attributes.get('r') !== this.#nonce) return refused(scramErrors.other);
    return { type: 'answer', text: `v=${signature}` };
  }
}

/** `a=1,b=2`: each name once, exactly those that are wanted. */
function attributesOf(text: string, wanted: string): Attributes | Refusal {
  const attributes = new Map<string, string>();
  for (const part of text.split(',')) {
    const name = part.slice(0, 1);
    if (part.slice(1, 2) !== '=' || attributes.has(name)) return scramErrors.encoding;
    if (name === 'm') return scramErrors.extensions;
    if (!wanted.includes(name)) return scramErrors.encoding;
    attributes.set(name, part.slice(2));
  }
  return attributes.size === wanted.length ? attributes : scramErrors.encoding;
}

/** A name has `=2C` and `=3D` for comma and equals sign, and no other escape. */
function userOf(saslName: string): string | undefined {
  if (/=(?!2C|3D)/.test(saslName) || !saslName.isWellFormed()) return undefined;
  return saslName.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
