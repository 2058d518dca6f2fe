import { createCipheriv, createDecipheriv, createHash, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { uuidBytes, uuidText } from '../common/uuid.ts';
import type { KeyRing } from './key-ring.ts';
import { ReplayWindow } from './replay-window.ts';

/**
 * Datagrams between nodes: encrypted with a key of the ring (AES-256-GCM), signed by the sender (Ed25519),
 * bound to the cluster, and taken once. A key of the ring alone does not allow to impersonate another node.
 *
 *     magic u16 | version u8 | key id 8 | nonce 12 | encrypted: sender 16, sequence u64, signature 64, payload | tag 16
 *
 * The signature covers the cluster, the sender, the sequence and the payload. Guarded invariant: nothing is
 * allocated for a length that the datagram claims, for it claims none; every refusal has a reason.
 */
export type Refusal =
  | 'length'
  | 'magic'
  | 'version'
  | 'unknownKey'
  | 'decryption'
  | 'unknownSender'
  | 'revoked'
  | 'signature'
  | 'replay';

export type Opened =
  | { readonly sender: string; readonly payload: Uint8Array }
  | { readonly refused: Refusal };

const magic = 0x4750;
const version = 1;
const headerBytes = 2 + 1 + 8 + 12;
const tagBytes = 16;
const innerBytes = 16 + 8 + 64;
/** Of a whole datagram: fits into one packet of an Ethernet with an IPv6 header. */
export const datagramBytesMax = 1_432;
/** Of what a sender may put into one. */
export const payloadBytesMax = datagramBytesMax - headerBytes - innerBytes - tagBytes;

const signedText = (
  cluster: Buffer,
  sender: Uint8Array,
  sequence: Uint8Array,
  payload: Uint8Array,
) => createHash('sha512').update(cluster).update(sender).update(sequence).update(payload).digest();

export interface SealOptions {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly ring: KeyRing;
  readonly privateKey: KeyObject;
  /** Unpredictable bytes. */
  random(bytes: number): Uint8Array;
  /**
   * Above every sequence number that this node has used before, also in an earlier life: the time of the
   * start in microseconds, for example.
   */
  readonly firstSequence: number;
}

/** Seals what one node sends. */
export class Sealer {
  readonly #options: SealOptions;
  readonly #cluster: Buffer;
  readonly #sender: Buffer;
  #sequence: number;

  constructor(options: SealOptions) {
    this.#options = options;
    this.#cluster = uuidBytes(options.clusterId);
    this.#sender = uuidBytes(options.nodeId);
    this.#sequence = options.firstSequence;
  }

  /** Undefined when the payload does not fit. */
  seal(payload: Uint8Array): Uint8Array | undefined {
    if (payload.byteLength > payloadBytesMax) return undefined;
    const { ring, privateKey } = this.#options;
    const sequence = Buffer.alloc(8);
    sequence.writeBigUInt64LE(BigInt(this.#sequence));
    this.#sequence += 1;
    const text = signedText(this.#cluster, this.#sender, sequence, payload);
    const signature = sign(null, text, privateKey);
    const header = Buffer.alloc(headerBytes);
    header.writeUInt16LE(magic, 0);
    header.writeUInt8(version, 2);
    header.set(Buffer.from(ring.primary.id, 'hex'), 3);
    header.set(this.#options.random(12), 11);
    const cipher = createCipheriv('aes-256-gcm', ring.primary.key, header.subarray(11));
    cipher.setAAD(Buffer.concat([header.subarray(0, 11), this.#cluster]));
    const plain = Buffer.concat([this.#sender, sequence, signature, payload]);
    return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }
}

export interface OpenOptions {
  readonly clusterId: string;
  readonly ring: KeyRing;
  /** The key that the certificate of a member proves; undefined for who is no member. */
  publicKeyOf(nodeId: string): KeyObject | undefined;
  /** Its certificate was revoked: it is no member any more. */
  isRevoked?(nodeId: string): boolean;
}

/** Opens what others send, and counts what it refuses. */
export class Opener {
  readonly refused = new Map<Refusal, number>();
  readonly #options: OpenOptions;
  readonly #cluster: Buffer;
  /** One for each sender that a certificate proves, so their number is that of the members. */
  readonly #windows = new Map<string, ReplayWindow>();

  constructor(options: OpenOptions) {
    this.#options = options;
    this.#cluster = uuidBytes(options.clusterId);
  }

  open(datagram: Uint8Array): Opened {
    const opened = this.#open(
      Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength),
    );
    if ('refused' in opened) {
      this.refused.set(opened.refused, (this.refused.get(opened.refused) ?? 0) + 1);
    }
    return opened;
  }

  /** The node is no member any more. */
  forget(nodeId: string): void {
    this.#windows.delete(nodeId);
  }

  #open(datagram: Buffer): Opened {
    const { byteLength } = datagram;
    const isTooShort = byteLength < headerBytes + innerBytes + tagBytes;
    if (isTooShort || byteLength > datagramBytesMax) return { refused: 'length' };
    if (datagram.readUInt16LE(0) !== magic) return { refused: 'magic' };
    if (datagram.readUInt8(2) !== version) return { refused: 'version' };
    const key = this.#options.ring.find(datagram.toString('hex', 3, 11));
    if (key === undefined) return { refused: 'unknownKey' };
    const plain = this.#decrypt(datagram, key.key);
    return plain === undefined ? { refused: 'decryption' } : this.#verify(plain);
  }

  #decrypt(datagram: Buffer, key: Uint8Array): Buffer | undefined {
    const end = datagram.byteLength - tagBytes;
    const decipher = createDecipheriv('aes-256-gcm', key, datagram.subarray(11, headerBytes));
    decipher.setAAD(Buffer.concat([datagram.subarray(0, 11), this.#cluster]));
    decipher.setAuthTag(datagram.subarray(end));
    const text = decipher.update(datagram.subarray(headerBytes, end));
    try {
      decipher.final();
      return text;
    } catch {
      return undefined;
    }
  }

  #verify(plain: Buffer): Opened {
    const sender = uuidText(plain.subarray(0, 16));
    if (this.#options.isRevoked?.(sender) === true) return { refused: 'revoked' };
    const publicKey = this.#options.publicKeyOf(sender);
    if (publicKey === undefined) return { refused: 'unknownSender' };
    const sequence = plain.subarray(16, 24);
    const payload = plain.subarray(innerBytes);
    const text = signedText(this.#cluster, plain.subarray(0, 16), sequence, payload);
    if (!verify(null, text, publicKey, plain.subarray(24, innerBytes))) {
      return { refused: 'signature' };
    }
    const window = this.#windows.get(sender) ?? new ReplayWindow();
    this.#windows.set(sender, window);
    const number = Number(sequence.readBigUInt64LE());
    return window.take(number) ? { sender, payload } : { refused: 'replay' };
  }
}
