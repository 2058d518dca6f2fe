import { createCipheriv, createDecipheriv, createHash, hkdfSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isUuid, uuidBytes, uuidText } from '../common/uuid.ts';
import type { KeyRing, RingKey } from './key-ring.ts';
import { ReplayWindow } from './replay-window.ts';

/**
 * Datagrams between nodes: encrypted with a key of the ring (AES-256-GCM), signed by the sender (Ed25519),
 * bound to the cluster and to the receiver, and taken once. A key of the ring alone does not allow to impersonate
 * another node.
 *
 *     magic u16 | version u8 | receiver 2 | key id 4 | sender 16 | sequence u64 | salt 4 |
 *     encrypted: signature 64, payload | tag 16
 *
 * The signature covers the cluster, both nodes, the sequence and the payload. Each sender encrypts with a key of its
 * own, which is derived from that of the ring, so that its sequence can be a part of the nonce. Of the receiver and
 * the key of the ring a datagram has a few bytes, which tell a datagram that went astray from a forged one. Guarded
 * invariant: nothing is allocated for a length that the datagram claims, for it claims none; every refusal has a
 * reason.
 */
export type Refusal =
  | 'length'
  | 'magic'
  | 'version'
  | 'receiver'
  | 'unknownKey'
  | 'unknownSender'
  | 'revoked'
  | 'decryption'
  | 'signature'
  | 'replay';

export type Opened =
  | { readonly sender: string; readonly payload: Uint8Array }
  | { readonly refused: Refusal };

const magic = 0x4750;
/** 2: sender and receiver are known by the seal, and not by the payload. */
const version = 2;
/** Where each part of the header begins. */
const at = { version: 2, receiver: 3, key: 5, sender: 9, sequence: 25, salt: 33 } as const;
const headerBytes = 37;
const signatureBytes = 64;
const tagBytes = 16;
/** Of a whole datagram: fits into one packet of an Ethernet with an IPv6 header. */
export const datagramBytesMax = 1_432;
/** Of what a sender may put into one. */
export const payloadBytesMax = datagramBytesMax - headerBytes - signatureBytes - tagBytes;

interface Ends {
  readonly cluster: Buffer;
  readonly sender: Uint8Array;
  readonly receiver: Uint8Array;
}

const signedText = (
  { cluster, sender, receiver }: Ends,
  sequence: Uint8Array,
  payload: Uint8Array,
) =>
  createHash('sha512')
    .update(cluster)
    .update(sender)
    .update(receiver)
    .update(sequence)
    .update(payload)
    .digest();

/** The key that a sender encrypts with: no two senders use a nonce with the same key. */
export const senderKey = (key: Uint8Array, sender: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, sender, 'photondb gossip sender 1', 32));

/** A datagram for another node than this one carries other bytes here, but for one in 65,536. */
const isFor = (datagram: Buffer, receiver: Uint8Array): boolean =>
  datagram[at.receiver] === receiver[0] && datagram[at.receiver + 1] === receiver[1];

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
  #key: { readonly of: RingKey; readonly id: Buffer; readonly sender: Uint8Array } | undefined;
  #sequence: number;

  constructor(options: SealOptions) {
    this.#options = options;
    this.#cluster = uuidBytes(options.clusterId);
    this.#sender = uuidBytes(options.nodeId);
    this.#sequence = options.firstSequence;
  }

  /** Undefined when the payload does not fit, or when the receiver is no node. */
  seal(payload: Uint8Array, to: string): Uint8Array | undefined {
    if (payload.byteLength > payloadBytesMax || !isUuid(to)) return undefined;
    const ends = { cluster: this.#cluster, sender: this.#sender, receiver: uuidBytes(to) };
    const key = this.#currentKey();
    const header = Buffer.alloc(headerBytes);
    header.writeUInt16LE(magic, 0);
    header.writeUInt8(version, at.version);
    header.set(ends.receiver.subarray(0, 2), at.receiver);
    header.set(key.id, at.key);
    header.set(ends.sender, at.sender);
    header.writeBigUInt64LE(BigInt(this.#sequence), at.sequence);
    header.set(this.#options.random(4), at.salt);
    this.#sequence += 1;
    const text = signedText(ends, header.subarray(at.sequence, at.salt), payload);
    const signature = sign(null, text, this.#options.privateKey);
    const cipher = createCipheriv('aes-256-gcm', key.sender, header.subarray(at.sequence));
    cipher.setAAD(Buffer.concat([header, ends.cluster, ends.receiver]));
    return Buffer.concat([
      header,
      cipher.update(signature),
      cipher.update(payload),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  #currentKey() {
    const { primary } = this.#options.ring;
    if (this.#key?.of !== primary) {
      const id = Buffer.from(primary.id, 'hex').subarray(0, 4);
      this.#key = { of: primary, id, sender: senderKey(primary.key, this.#sender) };
    }
    return this.#key;
  }
}

export interface OpenOptions {
  readonly clusterId: string;
  /** Whose datagrams they are. */
  readonly nodeId: string;
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
  readonly #receiver: Buffer;
  /** One for each sender that a certificate proves, so their number is that of the members. */
  readonly #windows = new Map<string, ReplayWindow>();
  /** Of the same senders. */
  readonly #keys = new WeakMap<RingKey, Map<string, Uint8Array>>();

  constructor(options: OpenOptions) {
    this.#options = options;
    this.#cluster = uuidBytes(options.clusterId);
    this.#receiver = uuidBytes(options.nodeId);
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
    const isTooShort = byteLength < headerBytes + signatureBytes + tagBytes;
    if (isTooShort || byteLength > datagramBytesMax) return { refused: 'length' };
    if (datagram.readUInt16LE(0) !== magic) return { refused: 'magic' };
    if (datagram.readUInt8(at.version) !== version) return { refused: 'version' };
    if (!isFor(datagram, this.#receiver)) return { refused: 'receiver' };
    const key = this.#options.ring.findByPrefix(datagram.toString('hex', at.key, at.sender));
    if (key === undefined) return { refused: 'unknownKey' };
    const sender = uuidText(datagram.subarray(at.sender, at.sequence));
    if (this.#options.isRevoked?.(sender) === true) return { refused: 'revoked' };
    const publicKey = this.#options.publicKeyOf(sender);
    if (publicKey === undefined) return { refused: 'unknownSender' };
    const plain = this.#decrypt(datagram, this.#keyOf(key, sender));
    if (plain === undefined) return { refused: 'decryption' };
    return this.#verify(datagram, plain, { sender, publicKey });
  }

  #keyOf(key: RingKey, sender: string): Uint8Array {
    const keys = this.#keys.get(key) ?? new Map<string, Uint8Array>();
    this.#keys.set(key, keys);
    const known = keys.get(sender) ?? senderKey(key.key, uuidBytes(sender));
    keys.set(sender, known);
    return known;
  }

  #decrypt(datagram: Buffer, key: Uint8Array): Buffer | undefined {
    const end = datagram.byteLength - tagBytes;
    const header = datagram.subarray(0, headerBytes);
    const decipher = createDecipheriv('aes-256-gcm', key, header.subarray(at.sequence));
    decipher.setAAD(Buffer.concat([header, this.#cluster, this.#receiver]));
    decipher.setAuthTag(datagram.subarray(end));
    const text = decipher.update(datagram.subarray(headerBytes, end));
    try {
      decipher.final();
      return text;
    } catch {
      return undefined;
    }
  }

  #verify(
    header: Buffer,
    plain: Buffer,
    { sender, publicKey }: { readonly sender: string; readonly publicKey: KeyObject },
  ): Opened {
    const from = header.subarray(at.sender, at.sequence);
    const ends = { cluster: this.#cluster, sender: from, receiver: this.#receiver };
    const payload = plain.subarray(signatureBytes);
    const text = signedText(ends, header.subarray(at.sequence, at.salt), payload);
    if (!verify(null, text, publicKey, plain.subarray(0, signatureBytes))) {
      return { refused: 'signature' };
    }
    const window = this.#windows.get(sender) ?? new ReplayWindow();
    this.#windows.set(sender, window);
    const number = Number(header.readBigUInt64LE(at.sequence));
    return window.take(number) ? { sender, payload } : { refused: 'replay' };
  }
}
