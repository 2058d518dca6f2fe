import { expect } from 'chai';
import * as fc from 'fast-check';
import { datums } from './testing/arbitrary.ts';
import { fieldName, fieldOfText } from './field-of-text.ts';
import type { Datum, DatumObject } from './datum.ts';
import { fieldOf } from './object.ts';
import { canonicalText, parseText } from './text.ts';

const read = (document: DatumObject, name: string): Datum | undefined => {
  const field = fieldName(name);
  return field === undefined ? undefined : fieldOfText(canonicalText(document), field);
};

describe('a field of the text of a document', () => {
  for (const [what, document] of [
    ['a number', { a: 1, n: -1.5e300, z: 1 }],
    ['a text', { a: 'n', n: 'text', z: '"n":' }],
    ['a long text', { n: 'x'.repeat(1_000), z: 1 }],
    ['the last one', { a: [1, '"n":2'], n: true }],
    ['the first one', { n: false, z: { n: 1 } }],
    ['null', { id: 1, n: null }],
  ] as const satisfies readonly (readonly [string, DatumObject])[]) {
    it(`is found without parsing: ${what}`, () => {
      expect(read(document, 'n')).to.deep.equal(fieldOf(document, 'n'));
    });
  }

  for (const [what, document, name] of [
    ['absent', { a: 1 }, 'n'],
    ['only in an object inside', { a: { n: 1 } }, 'n'],
    ['behind an object', { a: { b: 1 }, n: 1 }, 'n'],
    ['an object', { n: { a: 1 } }, 'n'],
    ['an array', { n: [1] }, 'n'],
    ['a text with an escape', { n: 'a"b' }, 'n'],
    ['a text that ends with an escape', { n: 'a\\', z: 1 }, 'n'],
    ['the end of another name', { 'a"n': 1 }, 'n'],
    ['a name with an escape', { 'a"n': 1 }, 'a"n'],
    ['a name that stands between two fields', { '!': 'x,', ':': 1 }, ','],
    ['a name that stands between a name and its text', { 'k,': ':1' }, ':'],
    ['a name that stands between a name and an array', { 'k,': [':1'] }, ':['],
    ['a name that stands behind an array', { '!': ['x,'], ':': 1 }, '],'],
    ['the name that objects have a meaning for', parseText('{"__proto__":1}'), '__proto__'],
  ] as const) {
    it(`is left to parsing: ${what}`, () => {
      expect(read(document as DatumObject, name)).to.equal(undefined);
    });
  }

  it('is what parsing finds, whatever the document is', () => {
    const plain = fc.constantFrom('a', 'n', 'id', 'a"n', 'é', '😀', '');
    const name = fc.oneof(plain, fc.constantFrom(',', '{', ':', ':[', '],', 'n,', ',n'));
    const value = fc.oneof(
      datums,
      fc.string(),
      fc.constantFrom(',"n":1', '{"n":', '\\', '"', '😀', ',', ':', 'x,', ':x'),
    );
    const documents = fc.dictionary(name, value, { maxKeys: 5 });
    fc.assert(
      fc.property(documents, name, (document, wanted) => {
        const parsed = parseText(canonicalText(document)) as DatumObject;
        const found = read(parsed, wanted);
        if (found !== undefined) expect(found).to.deep.equal(fieldOf(parsed, wanted));
      }),
      { numRuns: 2_000 },
    );
  });
});
