import { expect } from 'chai';
import * as fc from 'fast-check';
import { duplicateKey } from './json-keys.ts';

describe('keys of JSON', () => {
  it('are found when they stand twice in one object', () => {
    const found: readonly (readonly [string, string | undefined])[] = [
      ['{"a":1,"a":2}', 'a'],
      ['{"a":1e20,"b":{"a":1,"b":2,"a":3}}', 'a'],
      ['{"a":{"b":1},"b":2}', undefined],
      ['[{"a":1},{"a":1}]', undefined],
      ['{"a":"a","b":["a","a"]}', undefined],
      ['{"\\u0061":1,"a" \n\t: 2}', 'a'],
      ['{"a":"\\"a\\":1,","b":"}{","c":1,"b":2}', 'b'],
      ['{"\\\\":1,"\\\\\\\\":2}', undefined],
      ['{"__proto__":1,"__proto__":2}', '__proto__'],
      [`{"a":"${'\\u0041x'.repeat(1_000_000)}"}`, undefined],
    ];
    for (const [json, key] of found) expect(duplicateKey(json)).to.equal(key);
  });

  it('of any value are not', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        expect(duplicateKey(JSON.stringify(value, null, indent))).to.equal(undefined);
      }),
    );
  });
});
