import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeHook, decodeIndex, encodeHook, encodeIndex } from './function-blob.ts';

const field = [
  69,
  [
    [2, [1]],
    [170, [[10, [1]], 'age']],
  ],
];

/** `indexCreate('age')` as RethinkDB 2.4.4 writes it in `indexStatus`. */
const json = '[170,[[10,[[1,1,0]],0],[1,"age",0]],0]';
const reference = Buffer.concat([
  Buffer.from('$reql_index_function$\x09\x07\x07\x07\x00\x00\x00\x00\x00\x00\x01', 'latin1'),
  Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, json.length + 1, 0, 0, 0]),
  Buffer.from(`${json}\0`, 'latin1'),
  Buffer.from([0, 0, 0, 0, 0, 0]),
]);

describe('functions as bytes', () => {
  it('writes an index function as RethinkDB does', () => {
    const bytes = encodeIndex({ term: field, multi: false, geo: false });
    expect(Buffer.from(bytes).toString('latin1')).to.equal(reference.toString('latin1'));
  });

  it('reads what it writes, with the properties of the index', () => {
    for (const [multi, geo] of [
      [false, false],
      [true, false],
      [false, true],
    ] as const) {
      const index = { term: field, multi, geo };
      expect(decodeIndex(encodeIndex(index))).to.deep.equal({ type: 'decoded', value: index });
    }
  });

  it('keeps data, options, nested functions and negative parameters', () => {
    const bodies = [
      [2, [1, 'two', null, true, [3, []]]],
      { a: [2, [1]], b: { c: [10, [3]] }, '': 'ü\u0000' },
      [147, [[10, [3]]], { index: 'age' }],
      [
        38,
        [
          [10, [3]],
          [
            69,
            [
              [2, [9]],
              [24, [[10, [9]], 1]],
            ],
          ],
        ],
      ],
      [35, [[10, [3]], {}]],
    ];
    for (const body of bodies) {
      const value = [69, [[2, [1, -2, 3]], body]];
      expect(decodeHook(encodeHook(value))).to.deep.equal({ type: 'decoded', value });
    }
  });

  it('reads places, data arrays and terms without arguments as RethinkDB writes them', () => {
    const body = '[35,[[10,[[1,-3,4]],3],[3,{"t":[170,[[13,7],[1,[1,{"x":[]}],2]],9]},5]],1]';
    const head = Buffer.from('$reql_write_hook_function$\0\0\0\0\0\0\x01', 'latin1');
    const id = Buffer.from([0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    const length = Buffer.from([body.length + 1, 0, 0, 0]);
    const bytes = Buffer.concat([head, id, length, Buffer.from(`${body}\0\x08\0\0\0`, 'latin1')]);
    const expected = [
      35,
      [
        [10, [-3]],
        {
          t: [
            170,
            [
              [13, []],
              [2, [1, { x: [2, []] }]],
            ],
          ],
        },
      ],
    ];
    expect(decodeHook(bytes)).to.deep.equal({
      type: 'decoded',
      value: [69, [[2, [-3]], expected]],
    });
  });

  it('tells what is no function from what it cannot read', () => {
    expect(decodeIndex(Buffer.from('age'))).to.deep.equal({ type: 'foreign' });
    expect(decodeIndex(Buffer.from(''))).to.deep.equal({ type: 'foreign' });
    expect(decodeIndex(encodeHook(field))).to.deep.equal({ type: 'foreign' });
    const whole = Buffer.from(encodeIndex({ term: field, multi: false, geo: false }));
    for (let length = '$reql_index_function$'.length; length < whole.length; length += 1) {
      expect(decodeIndex(whole.subarray(0, length)).type).to.equal('unreadable');
    }
    expect(decodeIndex(Buffer.concat([whole, Buffer.from('x')])).type).to.equal('unreadable');
    const other = Buffer.from(whole);
    other[21] = 2;
    expect(decodeIndex(other)).to.deep.equal({ type: 'unreadable', reason: 'it has version 2' });
    other.set(whole);
    other[25] = 1;
    expect(decodeIndex(other)).to.deep.include({ reason: 'it is a function in JavaScript' });
  });

  it('reads back every term', () => {
    const { term } = fc.letrec<{ term: unknown; object: object }>((tie) => ({
      term: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, 1.5, -3, 'ü\u0000"', ''),
        fc.tuple(fc.integer({ min: 12, max: 197 }), fc.array(tie('term'), { maxLength: 3 })),
        fc.tuple(
          fc.integer({ min: 12, max: 197 }),
          fc.array(tie('term'), { maxLength: 2 }),
          fc.dictionary(fc.string(), tie('term'), {
            minKeys: 1,
            maxKeys: 2,
            noNullPrototype: true,
          }),
        ),
        tie('object'),
      ),
      object: fc.dictionary(fc.string(), tie('term'), { maxKeys: 3, noNullPrototype: true }),
    }));
    fc.assert(
      fc.property(term, fc.array(fc.integer(), { maxLength: 5 }), (body, parameters) => {
        const value = [69, [[2, parameters], body]];
        expect(decodeHook(encodeHook(value))).to.deep.equal({ type: 'decoded', value });
      }),
    );
  });

  it('survives any damage to its bytes', () => {
    const whole = Buffer.from(encodeIndex({ term: field, multi: true, geo: false }));
    for (let at = 21; at < whole.length; at += 1) {
      for (const flip of [0x01, 0x10, 0x80, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        expect(decodeIndex(damaged).type).to.be.oneOf(['decoded', 'unreadable']);
      }
    }
  });
});
