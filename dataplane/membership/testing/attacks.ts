import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Prng } from '../../common/prng.ts';
import { encodeMessage } from '../../gossip/codec.ts';
import type { Message } from '../../gossip/message.ts';
import { KeyRing, keyBytes } from '../../security/key-ring.ts';
import { Opener, Sealer } from '../../security/sealed-datagram.ts';
import { machineClock } from '../../node/clock.ts';
import { Detector } from '../detector.ts';
import { stateSigner } from '../state-signing.ts';

/**
 * A failure detector under attack: by strangers without a key, by who has stolen the key of the ring, and by a
 * member that has turned. From one seed.
 */
const clusterId = '11111111-2222-4333-8444-555555555555';
const idOf = (letter: string): string => `${letter.repeat(8)}-0000-4000-8000-000000000000`;
const [victim, honest, turned] = ['a', 'b', 'c'].map(idOf) as [string, string, string];

const keys = {
  honest: generateKeyPairSync('ed25519'),
  turned: generateKeyPairSync('ed25519'),
  stranger: generateKeyPairSync('ed25519'),
};

export interface AttackCounts {
  readonly sent: number;
  readonly taken: number;
  readonly refused: ReadonlyMap<string, number>;
}

export class AttackedDetector {
  readonly #random: Prng;
  readonly #ring = new KeyRing(randomBytes(keyBytes));
  readonly #opener: Opener;
  readonly detector: Detector;
  readonly #sealers: Readonly<Record<'honest' | 'turned' | 'thief' | 'stranger' | 'liar', Sealer>>;
  /** Datagrams of the honest node that were delivered. */
  readonly #delivered: Uint8Array[] = [];
  /** Messages that the detector wants to send. */
  answers = 0;
  #sent = 0;

  constructor(seed: number) {
    this.#random = new Prng(seed);
    const known = new Map([
      [honest, keys.honest.publicKey],
      [turned, keys.turned.publicKey],
    ]);
    const ring = this.#ring;
    this.#opener = new Opener({
      clusterId,
      nodeId: victim,
      ring,
      publicKeyOf: (id) => known.get(id),
    });
    const sealer = (nodeId: string, privateKey = keys.stranger.privateKey, own = ring): Sealer =>
      new Sealer({
        clusterId,
        nodeId,
        ring: own,
        privateKey,
        random: randomBytes,
        firstSequence: 1,
      });
    this.#sealers = {
      honest: sealer(honest, keys.honest.privateKey),
      turned: sealer(turned, keys.turned.privateKey),
      // Has the key of the ring, and speaks for the honest node.
      thief: sealer(honest),
      // A member that speaks for another one.
      liar: sealer(honest, keys.turned.privateKey),
      stranger: sealer(honest, undefined, new KeyRing(randomBytes(keyBytes))),
    };
    this.detector = new Detector({
      id: victim,
      address: '127.0.0.1:1',
      incarnation: machineClock.timeOfDay(),
      clock: machineClock,
      chance: { bytes: randomBytes },
      sealer: sealer(victim),
      opener: this.#opener,
      signer: stateSigner({
        clusterId,
        privateKey: keys.stranger.privateKey,
        keyOf: (id) => known.get(id),
        offered: () => undefined,
      }),
      sendDatagram: () => (this.answers += 1),
      sendReliable: () => (this.answers += 1),
      changed: () => undefined,
      misbehaved: () => undefined,
      firstSequence: 1,
    });
    const incarnation = machineClock.timeOfDay();
    const members = [honest, turned].map((id) => ({
      id,
      address: '127.0.0.1:2',
      incarnation,
      status: 'alive' as const,
      accuser: undefined,
    }));
    this.#deliver(this.#sealers.honest, {
      type: 'gossip',
      from: honest,
      to: victim,
      updates: members,
    });
  }

  get counts(): AttackCounts {
    const refused = new Map<string, number>([...this.#opener.refused, ...this.detector.refused]);
    const total = [...refused.values()].reduce((sum, each) => sum + each, 0);
    return { sent: this.#sent, taken: this.#sent - total, refused };
  }

  #seal(sealer: Sealer, payload: Uint8Array): Uint8Array {
    return sealer.seal(payload, victim) ?? new Uint8Array();
  }

  #receive(datagram: Uint8Array): void {
    this.#sent += 1;
    this.detector.receiveDatagram(datagram);
  }

  #deliver(sealer: Sealer, message: Message): void {
    const datagram = this.#seal(sealer, encodeMessage(message));
    this.#delivered.push(datagram);
    this.#receive(datagram);
  }

  #message(from: string): Message {
    const random = this.#random;
    const update = {
      id:
        random.next() < 0.5
          ? idOf(random.pick(['a', 'b', 'c', 'd', 'e', 'f']))
          : `${random.below(100)}`,
      address: '127.0.0.1:3',
      incarnation: random.pick([0, 1, machineClock.timeOfDay(), Number.MAX_SAFE_INTEGER]),
      status: random.pick(['alive', 'suspect', 'dead', 'left'] as const),
      accuser: random.pick([undefined, honest, turned]),
    };
    const envelope = { from, to: victim, updates: [update] };
    const sequence = random.below(2 ** 31);
    return random.pick<Message>([
      { ...envelope, type: 'gossip' },
      { ...envelope, type: 'ping', sequence },
      { ...envelope, type: 'ack', sequence },
      { ...envelope, type: 'pingRequest', sequence, target: random.pick([honest, victim, 'x']) },
    ]);
  }

  #flipped(bytes: Uint8Array): Uint8Array {
    const flipped = Uint8Array.from(bytes);
    const bit = this.#random.below(flipped.byteLength * 8);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return flipped;
  }

  /** One attack; answers whether it may be taken: only a member that has turned is believed, as itself. */
  attack(): 'refusable' | 'must be refused' {
    const random = this.#random;
    const { turned: insider, honest: member, thief, stranger, liar } = this.#sealers;
    const old = random.pick(this.#delivered);
    switch (random.below(10)) {
      case 0:
        this.#receive(randomBytes(random.below(2_000)));
        return 'must be refused';
      case 1:
        this.#receive(old.subarray(0, random.below(old.byteLength)));
        return 'must be refused';
      case 2:
        this.#receive(this.#flipped(old));
        return 'must be refused';
      case 3:
        this.#receive(old);
        return 'must be refused';
      case 4:
        this.#receive(Buffer.concat([old, randomBytes(1 + random.below(3_000))]));
        return 'must be refused';
      case 5:
        this.#receive(
          this.#seal(random.pick([thief, stranger]), encodeMessage(this.#message(honest))),
        );
        return 'must be refused';
      case 6:
        this.#receive(this.#seal(liar, encodeMessage(this.#message(honest))));
        return 'must be refused';
      case 7:
        this.#receive(this.#seal(insider, this.#flipped(encodeMessage(this.#message(turned)))));
        return 'refusable';
      case 8: {
        // What was said to another one, as it was or with this one's address.
        const other = member.seal(encodeMessage(this.#message(honest)), turned) ?? new Uint8Array();
        if (random.next() < 0.5) other.set(old.subarray(3, 5), 3);
        this.#receive(other);
        return 'must be refused';
      }
      default:
        this.#receive(this.#seal(insider, encodeMessage(this.#message(turned))));
        return 'refusable';
    }
  }
}
