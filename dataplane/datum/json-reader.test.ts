import * as fc from 'fast-check';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { JsonDepthError, JsonReader } from './json-reader.ts';

const bytesOf = (text: string): Uint8Array => encodeUtf8(text);

function read(bytes: Uint8Array): { value: unknown; steps: number } {
  const reader = new JsonReader(bytes);
  let steps = 1;
  while (reader.step()) steps += 1;
  return { value: reader.value, steps };
}

/** The value with the order of the fields and signs of zeros, or undefined when there is none. */
function shown(make: () => unknown): string | undefined {
  let value: unknown;
  try {
    value = make();
  } catch {
    return undefined;
  }
  return JSON.stringify(value, (_, part: unknown) =>
    Object.is(part, -0) || part === Infinity || part === -Infinity
      ? `number ${String(part)}${Object.is(part, -0) ? ' -0' : ''}`
      : part,
  );
}

/** Without halves of surrogate pairs: bytes have none. */
const asParsed = (given: string): void => {
  const text = given.toWellFormed();
  const expected = shown(() => JSON.parse(text));
  const found = shown(() => read(bytesOf(text)).value);
  expect(found, text.slice(0, 300)).to.equal(expected);
};

/** Blanks and strings longer than a chunk, so that everything around them is cut. */
const long = 'y'.repeat(70_000);
const scalars = fc.oneof(
  fc.constantFrom('1', '-0', '1e999', '-1.5e-3', 'true', 'false', 'null', '""', '0', '1E5'),
  fc.constantFrom('"\\ud800"', '"\\ud83d\\ude00"', '"😀"', '"\\u0041\\n\\\\"', '"__proto__"'),
  fc.constantFrom(`"${long}"`, `"${'\\\\'.repeat(40_000)}"`, `"${'é'.repeat(40_000)}"`),
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
);
const blanks = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('', ' ', '\n\t') },
  fc.constant(' '.repeat(140_000)),
);
const names = fc.constantFrom(
  '"a"',
  '"b"',
  '"1"',
  '"0"',
  '"__proto__"',
  '"\\u0061"',
  '"constructor"',
  `"${long}"`,
);
const { value: json } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, scalars, tie('array'), tie('object')),
  array: fc
    .tuple(blanks, fc.array(tie('value'), { maxLength: 6 }))
    .map(([blank, items]) => `[${blank}${items.join(`${blank},`)}${blank}]`),
  object: fc
    .tuple(blanks, fc.array(fc.tuple(names, tie('value')), { maxLength: 6 }))
    .map(
      ([blank, fields]) =>
        `{${blank}${fields.map(([name, field]) => `${name}${blank}:${blank}${field}`).join(`,${blank}`)}}`,
    ),
}));

describe('a reader of long JSON texts', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(fc.property(json, asParsed), { numRuns: 300 });
  }).timeout(60_000);

  it('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        json,
        fc.nat(),
        fc.constantFrom('', ',', ']', '}', '"', '[', '{', ':', '1', '\\', '\n'),
        (text, at, inserted) => {
          const cut = at % (text.length + 1);
          asParsed(`${text.slice(0, cut)}${inserted}${text.slice(cut)}`);
          asParsed(`${text.slice(0, cut)}${inserted}${text.slice(cut + 1)}`);
        },
      ),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  const pad = ' '.repeat(66_000);
  const refused = [
    [
      '',
      ' ',
      '[',
      '{',
      '[1,]',
      '[,1]',
      '[1,,2]',
      '{,}',
      '{"a":1,}',
      '{"a"}',
      '[1}',
      '{"a":1]',
      '1 2',
    ],
    [`[${pad},1]`, `["${long}",]`, `["${long}" 1]`, `{"a":"${long}",}`, `{"a" "${long}"}`],
    [`{1:"${long}"}`, `["${long}`, `["${long}"}`, `"${long}\n"`, `"${long}\\x"`, `["${long}"]]`],
  ].flat();
  for (const text of refused)
    it(`refuses ${JSON.stringify(text.slice(0, 20))} of ${text.length} characters`, () => {
      expect(shown(() => JSON.parse(text))).to.equal(undefined);
      asParsed(text);
    });

  it('cuts long strings at every place', () => {
    for (const part of ['\\\\', '\\"', '\\u00e9', '😀', 'é', '\\ud83d\\ude00', 'a\\n'])
      for (let shift = 0; shift < 8; shift += 1)
        asParsed(`["${'x'.repeat(shift)}${part.repeat(30_000)}"]`);
  });

  it('refuses bytes that are no UTF-8', () => {
    for (const text of ['["é"]', `["${long}é"]`, `[1,"${long}",{"é":1}]`]) {
      const bytes = bytesOf(text);
      bytes[bytes.lastIndexOf(0xc3)] = 0xff;
      expect(shown(() => read(bytes).value)).to.equal(undefined);
    }
  });

  it('bounds the nesting', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}"${long}"${']'.repeat(depth)}`;
    expect(() => read(bytesOf(nested(50_001)))).to.throw(JsonDepthError);
    expect(shown(() => (read(bytesOf(nested(2_000))).value as unknown[]).length)).to.equal('1');
  }).timeout(60_000);

  it('takes many steps, and says what it made', () => {
    const text = JSON.stringify(Array.from({ length: 50_000 }, (_, id) => ({ id, name: 'n' })));
    const reader = new JsonReader(bytesOf(text));
    let [steps, made] = [0, 0];
    while (reader.step()) {
      steps += 1;
      const bytes = reader.takeMadeBytes();
      expect(bytes).to.be.at.most(65_536 * 32);
      made += bytes;
    }
    expect(steps).to.be.at.least(Math.floor(text.length / 65_536));
    expect(made).to.be.within(text.length, text.length * 6);
    expect(reader.value).to.deep.equal(JSON.parse(text));
  });
});
