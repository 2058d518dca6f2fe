import { expect } from 'chai';
import { MemoryStore } from '../kv/memory-store.ts';
import { encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { RowSum } from '../table/row-sum.ts';
import { RowsBody } from './content.ts';
import {
  decodeAnswer,
  decodeEnd,
  decodePart,
  encodeAnswer,
  encodeEnd,
  encodePart,
  partKind,
} from './snapshot-message.ts';
import type { NumberedPart, SnapshotAnswer, SnapshotEnd } from './snapshot-message.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';

const part: NumberedPart = {
  group: 7,
  session: 'a/1/7/1',
  number: 3,
  kind: partKind.rows,
  body: Uint8Array.of(1, 2, 3),
};
const end: SnapshotEnd = {
  index: 41,
  term: 3,
  statistics: { count: 2, bytes: 300, hash: 12_345 },
  sessions: 'BwAAAAAAAAAAAAAA',
  unchecked: 5,
};

describe('the parts of a state between nodes', () => {
  it('are what they were before they were sent', () => {
    expect(decodePart(encodePart(part))).to.deep.equal(part);
    expect(decodeEnd(encodeEnd(end))).to.deep.equal(end);
    const answers: SnapshotAnswer[] = [
      { type: 'next', number: 9 },
      { type: 'damaged' },
      { type: 'again' },
    ];
    for (const answer of answers) expect(decodeAnswer(encodeAnswer(answer))).to.deep.equal(answer);
  });

  it('are not believed with a bit that is flipped, or without their end', () => {
    const whole = encodePart(part);
    for (let at = 0; at < whole.byteLength; at += 1) {
      const flipped = Uint8Array.from(whole, (byte, place) => (place === at ? byte ^ 4 : byte));
      expect(decodePart(flipped), `byte ${at}`).to.equal(undefined);
      expect(decodePart(whole.subarray(0, at)), `${at} bytes`).to.equal(undefined);
    }
    expect(() => decodeAnswer(Uint8Array.of(9, 1, 0, 0, 0, 0))).to.throw();
    expect(() => decodeAnswer(Uint8Array.of(1, 4, 0, 0, 0, 0))).to.throw();
  });
});

describe('the receiver of a state', () => {
  const keyspace = 5;
  let now = 0;
  const clock = { now: () => now };
  const row = (name: string, version: number): [Uint8Array, Uint8Array] => {
    const key = new TextEncoder().encode(name);
    const body = new TextEncoder().encode('{}');
    return [key, encodeEnvelope(keyspaceKey(keyspace, key), { version, body })];
  };
  const rows = (
    ...found: readonly (readonly [Uint8Array, Uint8Array | undefined])[]
  ): Uint8Array => {
    const body = new RowsBody(1_000);
    for (const [key, value] of found) body.add(key, value);
    return body.finish();
  };
  const endOf = (found: readonly (readonly [Uint8Array, Uint8Array])[], index = 41): Uint8Array => {
    const sum = new RowSum();
    for (const [key, value] of found) sum.row(keyspaceKey(keyspace, key), value, 1);
    return encodeEnd({ ...end, index, statistics: sum.total });
  };
  const of = (number: number, kind: number, body: Uint8Array, session = 's'): NumberedPart => ({
    group: 7,
    session,
    number,
    kind,
    body,
  });
  const [a, b, c] = [row('a', 1), row('b', 2), row('c', 3)];
  const receiver = (): SnapshotReceiver =>
    new SnapshotReceiver({
      group: 7,
      keyspace,
      store: new MemoryStore(),
      clock,
    });

  it('has the state when all parts add up to what its leader counted', async () => {
    const taken = receiver();
    const parts = [
      of(0, partKind.rows, rows(a, b)),
      of(1, partKind.changes, rows([a[0], undefined])),
      of(2, partKind.rows, rows(c)),
    ];
    for (const each of parts)
      expect(await taken.take(each)).to.deep.equal({
        type: 'next',
        number: each.number + 1,
      });
    // An answer that was lost.
    expect(await taken.take(parts[1] ?? expect.fail())).to.deep.equal({
      type: 'next',
      number: 2,
    });
    expect(taken.has({ index: 41, term: 3 })).to.equal(false);
    expect(await taken.take(of(3, partKind.end, endOf([b, c])))).to.have.property('type', 'next');
    expect(taken.has({ index: 41, term: 3 })).to.equal(true);
    expect(taken.has({ index: 42, term: 3 })).to.equal(false);
    expect(taken.has({ index: 41, term: 4 })).to.equal(false);
    // It was asked for, so somebody installs it; after a while another walk takes its place.
    expect(await taken.take(of(0, partKind.rows, rows(a), 't'))).to.deep.equal({
      type: 'again',
    });
    expect(taken.has({ index: 41, term: 3 })).to.equal(true);
    now += 5_000;
    await taken.take(of(0, partKind.rows, rows(a), 't'));
    expect(taken.has({ index: 41, term: 3 })).to.equal(false);
  });

  const damaged = Uint8Array.from(b[1], (byte, at) => (at === b[1].byteLength - 1 ? 0 : byte));
  const refused: readonly (readonly [string, readonly NumberedPart[]])[] = [
    ['a part too early', [of(1, partKind.rows, rows(a))]],
    [
      'a part of another session',
      [of(0, partKind.rows, rows(a)), of(1, partKind.rows, rows(b), 't')],
    ],
    ['rows out of their order', [of(0, partKind.rows, rows(b, a))]],
    ['a row that is gone', [of(0, partKind.rows, rows([a[0], undefined]))]],
    ['a damaged row', [of(0, partKind.rows, rows([b[0], damaged]))]],
    ['rows that are none', [of(0, partKind.rows, Uint8Array.of(1, 0, 0, 0, 9))]],
    ['a kind to come', [of(0, 9, rows(a))]],
    ['a text in place of rows', [of(0, partKind.state, Uint8Array.of(1))]],
    ['an end that says more', [of(0, partKind.rows, rows(a)), of(1, partKind.end, endOf([a, b]))]],
    [
      'a row newer than the end',
      [of(0, partKind.rows, rows(c)), of(1, partKind.end, endOf([c], 2))],
    ],
    ['sessions that are none', [of(0, partKind.end, encodeEnd({ ...end, sessions: 'AQID' }))]],
    ['an end that is none', [of(0, partKind.rows, rows(a)), of(1, partKind.end, Uint8Array.of(1))]],
  ];
  for (const [what, parts] of refused) {
    it(`does not trust ${what}`, async () => {
      const taken = receiver();
      for (const each of parts.slice(0, -1)) await taken.take(each);
      expect(await taken.take(parts.at(-1) ?? expect.fail())).to.deep.equal({
        type: 'again',
      });
      expect(taken.has({ index: 41, term: 3 })).to.equal(false);
    });
  }
});
