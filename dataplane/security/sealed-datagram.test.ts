import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { KeyRing, keyBytes } from './key-ring.ts';
import { ReplayWindow } from './replay-window.ts';
import { datagramBytesMax, Opener, payloadBytesMax, Sealer, senderKey } from './sealed-datagram.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const receiver = 'bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const key = randomBytes(keyBytes);
const keys = generateKeyPairSync('ed25519');

const sealer = (ring = new KeyRing(key), changes: object = {}): Sealer =>
  new Sealer({
    clusterId,
    nodeId,
    ring,
    privateKey: keys.privateKey,
    random: randomBytes,
    firstSequence: 1_000,
    ...changes,
  });

const opener = (ring = new KeyRing(key), changes: object = {}): Opener =>
  new Opener({
    clusterId,
    nodeId: receiver,
    ring,
    publicKeyOf: (id) => (id === nodeId ? keys.publicKey : undefined),
    ...changes,
  });

const sealed = (from = sealer(), text = 'news'): Uint8Array =>
  from.seal(new TextEncoder().encode(text), receiver) ?? new Uint8Array();

describe('sealed datagrams', () => {
  it('open as they were sealed, up to the size of a packet', () => {
    const payload = randomBytes(payloadBytesMax);
    const datagram = sealer().seal(payload, receiver);
    expect(datagram?.byteLength).to.equal(datagramBytesMax);
    const opened = opener().open(datagram ?? new Uint8Array());
    expect(opened).to.have.property('sender', nodeId);
    expect('payload' in opened && Buffer.compare(opened.payload, payload)).to.equal(0);
    expect(sealer().seal(randomBytes(payloadBytesMax + 1), receiver)).to.equal(undefined);
    expect(sealer().seal(payload, 'no node')).to.equal(undefined);
  });

  it('are refused with any bit changed, cut or longer', () => {
    const datagram = sealed();
    for (let bit = 0; bit < datagram.byteLength * 8; bit += 1) {
      const flipped = Uint8Array.from(datagram);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(opener().open(flipped), `bit ${bit}`).to.have.property('refused');
    }
    for (let length = 0; length < datagram.byteLength; length += 1) {
      expect(opener().open(datagram.subarray(0, length))).to.have.property('refused');
    }
    expect(opener().open(randomBytes(datagramBytesMax + 1))).to.deep.equal({ refused: 'length' });
  });

  it('are taken once, also late and in another order', () => {
    const from = sealer();
    const to = opener();
    const datagrams = Array.from({ length: 50 }, (_, at) => sealed(from, `${at}`));
    for (const datagram of datagrams.toReversed()) {
      expect(to.open(datagram)).to.have.property('sender');
    }
    for (const datagram of datagrams) {
      expect(to.open(datagram)).to.deep.equal({ refused: 'replay' });
    }
    expect(to.refused.get('replay')).to.equal(50);
  });

  it('of another cluster, of who is no member, or signed by another node are refused', () => {
    const other = '99999999-2222-4333-8444-555555555555';
    const foreign = sealed(sealer(undefined, { clusterId: other }));
    expect(opener().open(foreign)).to.deep.equal({ refused: 'decryption' });
    const stranger = sealed(sealer(undefined, { nodeId: other }));
    expect(opener().open(stranger)).to.deep.equal({ refused: 'unknownSender' });
    // Whoever has a key of the ring cannot speak for another node.
    const { privateKey } = generateKeyPairSync('ed25519');
    const forged = sealed(sealer(undefined, { privateKey }));
    expect(opener().open(forged)).to.deep.equal({ refused: 'signature' });
    const unknown = sealed(sealer(new KeyRing(randomBytes(keyBytes))));
    expect(opener().open(unknown)).to.deep.equal({ refused: 'unknownKey' });
  });

  it('that somebody with the ring has sealed again are refused, whatever is changed of what was signed', () => {
    const datagram = Buffer.from(sealed());
    const bytesOf = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
    const ringKey = senderKey(key, bytesOf(nodeId));
    const end = datagram.byteLength - 16;
    const associated = (header: Buffer, to = receiver): Buffer =>
      Buffer.concat([header, bytesOf(clusterId), bytesOf(to)]);
    const header = datagram.subarray(0, 37);
    const decipher = createDecipheriv('aes-256-gcm', ringKey, header.subarray(25));
    decipher.setAAD(associated(header));
    decipher.setAuthTag(datagram.subarray(end));
    const plain = Buffer.concat([decipher.update(datagram.subarray(37, end)), decipher.final()]);
    const sealedAgain = (own: Buffer, content: Buffer, to = receiver): Buffer => {
      const cipher = createCipheriv('aes-256-gcm', ringKey, own.subarray(25));
      cipher.setAAD(associated(own, to));
      const text = Buffer.concat([cipher.update(content), cipher.final()]);
      return Buffer.concat([own, text, cipher.getAuthTag()]);
    };
    const changed = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    expect(opener().open(sealedAgain(header, plain))).to.have.property('sender', nodeId);
    const refusal = { refused: 'signature' };
    for (let at = 0; at < plain.byteLength; at += 1) {
      const opened = opener().open(sealedAgain(header, changed(plain, at)));
      expect(opened, `byte ${at}`).to.deep.equal(refusal);
    }
    // What was said to one node is not said to another one.
    const other = 'cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    const forOther = Buffer.from(header);
    forOther.set([0xcc, 0xcc], 3);
    const toOther = opener(undefined, { nodeId: other });
    expect(toOther.open(sealedAgain(forOther, plain, other))).to.deep.equal(refusal);
    // The sequence: what was said once is not said again under another number.
    for (let at = 25; at < 33; at += 1) {
      const opened = opener().open(sealedAgain(changed(header, at), plain));
      expect(opened, `byte ${at} of the header`).to.deep.equal(refusal);
    }
  });

  it('for another node are refused, also when somebody with the ring has addressed them again', () => {
    const other = 'cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    const datagram = Buffer.from(sealed());
    const toOther = opener(undefined, { nodeId: other });
    expect(toOther.open(datagram)).to.deep.equal({ refused: 'receiver' });
    datagram.set([0xcc, 0xcc], 3);
    expect(toOther.open(datagram)).to.deep.equal({ refused: 'decryption' });
    // Two nodes whose IDs begin alike.
    const alike = opener(undefined, { nodeId: 'bbbbbbbb-0000-4ccc-8ddd-eeeeeeeeeeee' });
    expect(alike.open(sealed())).to.deep.equal({ refused: 'decryption' });
  });

  it('of two nodes are encrypted with different keys, so that equal numbers are no equal nonces', () => {
    const noSalt = (count: number): Uint8Array => new Uint8Array(count);
    // Of equal payloads at the same place: with one key the cipher would write the same.
    const [one, other] = [nodeId, receiver].map((id) => {
      const datagram = sealed(sealer(undefined, { nodeId: id, random: noSalt }));
      return Buffer.from(datagram).toString('hex', 37 + 64, datagram.byteLength - 16);
    });
    expect(one).to.have.length(8).and.not.equal(other);
  });

  it('made of arbitrary bytes are refused and counted', () => {
    const to = opener();
    const header = sealed().subarray(0, 25);
    for (let at = 0; at < 5_000; at += 1) {
      const bytes = randomBytes(at % 1_500);
      if (at % 2 === 0) bytes.set(header.subarray(0, bytes.byteLength));
      expect(to.open(bytes)).to.have.property('refused');
    }
    const total = [...to.refused.values()].reduce((sum, count) => sum + count, 0);
    expect(total).to.equal(5_000);
  });
});

describe('a key ring', () => {
  it('replaces a key without loss: install everywhere, use everywhere, remove everywhere', () => {
    const rings = Array.from({ length: 3 }, () => new KeyRing(key));
    const next = randomBytes(keyBytes);
    const everybodyHearsEverybody = (): void => {
      for (const [from, ring] of rings.entries()) {
        for (const other of rings) {
          const datagram = sealed(sealer(ring, { firstSequence: from * 100 + 1 }));
          expect(opener(other).open(datagram)).to.have.property('sender');
        }
      }
    };
    const old = rings[0]?.primary.id ?? '';
    let added = '';
    for (const ring of rings) {
      added = ring.install(next).id;
      everybodyHearsEverybody();
    }
    for (const ring of rings) {
      ring.use(added);
      everybodyHearsEverybody();
    }
    for (const ring of rings) {
      ring.remove(old);
      everybodyHearsEverybody();
    }
    expect(rings[0]?.ids).to.deep.equal([added]);
  });

  it('refuses steps that would lose messages, wrong keys and too many', () => {
    const ring = new KeyRing(key);
    expect(() => ring.use('0000000000000000')).to.throw(/Install it on every node first/);
    expect(() => ring.remove(ring.primary.id)).to.throw(/Use another one on every node first/);
    expect(() => ring.install(randomBytes(16))).to.throw(/has 32 bytes; this one has 16/);
    for (let count = 1; count < 8; count += 1) ring.install(randomBytes(keyBytes));
    expect(() => ring.install(randomBytes(keyBytes))).to.throw(/8 keys already/);
    expect(ring.install(key).id).to.equal(ring.primary.id);
  });
});

describe('a replay window', () => {
  it('takes each number once, and nothing that is older than it reaches', () => {
    const window = new ReplayWindow();
    expect([5, 3, 5, 3, 4].map((number) => window.take(number))).to.deep.equal([
      true,
      true,
      false,
      false,
      true,
    ]);
    expect(window.take(5_000)).to.equal(true);
    expect(window.take(5_000 - 1_024)).to.equal(false);
    expect(window.take(5_000 - 1_023)).to.equal(true);
  });
});
