import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeUtf8 } from '../common/bytes.ts';
import { compareDatum } from './compare.ts';
import type { Datum } from './datum.ts';
import { validDocument } from './document.ts';
import { InvalidDatumError } from './errors.ts';
import { encodeKey } from './key.ts';
import { datumDepthMax } from './limits.ts';
import { encodePrimaryKey } from './primary-key.ts';
import { parseText } from './text.ts';
import { documents } from './testing/arbitrary.ts';

const primaryKey = 'id';
const key = encodeKey(1);
const stored = (document: Datum, at = key): string =>
  validDocument(document, { key: at, primaryKey, old: null }).text;

function refusal(document: Datum, at = key): string {
  try {
    stored(document, at);
  } catch (error) {
    if (error instanceof InvalidDatumError) return error.message.split('\n')[0] ?? '';
    throw error;
  }
  return 'it was taken';
}

const nested = (depth: number): Datum => {
  let datum: Datum = 0;
  for (let at = 0; at < depth; at += 1) datum = at % 2 === 0 ? [datum] : { a: datum };
  return datum;
};

const time = (fields: Record<string, Datum>): Datum => ({ $reql_type$: 'TIME', ...fields });
const binary = (fields: Record<string, Datum>): Datum => ({ $reql_type$: 'BINARY', ...fields });
const geometry = (fields: Record<string, Datum>): Datum => ({ $reql_type$: 'GEOMETRY', ...fields });
const literal = { $reql_type$: 'LITERAL', value: 5 };
const strayLiteral = /^Stray literal keyword found/;

/** Title, value of a field, why it is refused. */
const refusedValues: readonly (readonly [string, Datum, RegExp])[] = [
  ['an infinite number', Number.POSITIVE_INFINITY, /^Non-finite number: inf$/],
  ['a number that is none', Number.NaN, /^Non-finite number: NaN$/],
  ['a number that is none, deep inside', [{ a: [-1 / 0] }], /^Non-finite number: -inf$/],
  ['half a surrogate pair', '\ud800', /is not a UTF-8 string; lone surrogate at position 0\.$/],
  ['half a surrogate pair in a name', { 'a\udc00': 1 }, /lone surrogate at position 1\.$/],
  ['a literal', literal, strayLiteral],
  ['a literal in an array', [[literal]], strayLiteral],
  ['grouped data', { $reql_type$: 'GROUPED_DATA', data: [] }, /^Unknown \$reql_type\$/],
  ['an unknown pseudo-type', { $reql_type$: 'X' }, /^Unknown \$reql_type\$ `PTYPE<X>`\.$/],
  ['a type that is no text', { $reql_type$: 5 }, /must be a string \(got `5` of type NUMBER\)/],
  ['a type that is null', { $reql_type$: null }, /must be a string \(got `null` of type NULL\)/],
  ['a time in no zone', time({ epoch_time: 1, timezone: 'banana' }), /invalid timezone string/],
  ['a time in a far zone', time({ epoch_time: 1, timezone: '+25:00' }), /invalid timezone string/],
  ['a time in an odd zone', time({ epoch_time: 1, timezone: '+0-2:0' }), /invalid timezone/],
  ['a time in the zone -00:60', time({ epoch_time: 1, timezone: '-00:60' }), /invalid timezone/],
  ['a time whose zone is null', time({ epoch_time: 1, timezone: null }), /must be a string/],
  ['a time without a zone', time({ epoch_time: 1 }), /\(no field `timezone`\)/],
  ['a time without seconds', time({ timezone: 'Z' }), /\(no field `epoch_time`\)/],
  ['a time of seconds as text', time({ epoch_time: '5', timezone: 'Z' }), /must be a number/],
  ['a time of endless seconds', time({ epoch_time: 1 / 0, timezone: 'Z' }), /^Non-finite/],
  ['a time with more', time({ epoch_time: 1, timezone: 'Z', x: 1 }), /unrecognized field `x`/],
  ['bytes without data', binary({}), /lacking `data` key/],
  ['bytes with more', binary({ data: 'YQ==', x: 1 }), /illegal `x` key/],
  ['bytes that are no base64', binary({ data: '!' }), /^Invalid base64 character found: '!'\.$/],
  ['bytes that are no text', binary({ data: 5 }), /^Expected type STRING but found NUMBER\.$/],
  ['half a byte', binary({ data: 'A' }), /^Invalid base64 length/],
  ['a geometry without a type', geometry({ coordinates: [] }), /^Field `type` not found/],
  ['a geometry without coordinates', geometry({ type: 'Point' }), /^Field `coordinates` not/],
  ['a geometry with more', geometry({ type: 'Point', coordinates: [], x: 1 }), /field `x` found/],
  ['an array that is too long', Array<Datum>(100_001).fill(0), /^Array too large for disk writes/],
  ['deep nesting', nested(datumDepthMax), /^Value nested too deeply/],
  ['very deep nesting', nested(100_000), /^Value nested too deeply/],
];

describe('the door of a table', () => {
  for (const [title, value, reason] of refusedValues) {
    it(`refuses ${title}`, () => {
      expect(refusal({ id: 1, value })).to.match(reason);
    });
  }

  it('refuses what is no object', () => {
    for (const value of [5, 'a', [{ id: 1 }], true] as const)
      expect(refusal(value)).to.match(/^Inserted value must be an OBJECT \(got /);
    expect(refusal(time({ id: 1, epoch_time: 1, timezone: 'Z' }))).to.equal(
      'Inserted value must be an OBJECT (got PTYPE<TIME>):',
    );
  });

  it('refuses a document without its key, or with another one', () => {
    expect(refusal({ a: 1 })).to.equal('Inserted object must have primary key `id`:');
    expect(refusal({ id: 2 })).to.match(/^Primary key `id` cannot be changed \(null -> \{/);
    expect(refusal({ id: null })).to.match(/^Primary keys must be either a number, string/);
    expect(refusal({ id: { a: 1 } })).to.match(/^Primary keys must be either a number, string/);
    expect(refusal({ id: 'a\0' })).to.match(/^Primary keys cannot contain NULL bytes/);
    expect(refusal({ id: '\ud800' })).to.match(/lone surrogate/);
    expect(refusal({ id: [null] })).to.match(/^Array keys can only contain numbers, strings/);
    expect(refusal({ id: 'a'.repeat(128) })).to.match(/^Primary key too long/);
    expect(refusal({ id: 1 / 0 })).to.not.equal('it was taken');
  });

  it('refuses what is no data at all, whatever the types say', () => {
    class Selection {
      readonly id = 1;
    }
    const none: readonly unknown[] = [
      { id: 1, a: undefined },
      { id: 1, a: [() => 1] },
      { id: 1, a: 5n },
      { id: 1, a: Symbol('a') },
      { id: 1, a: new Selection() },
      new Selection(),
      { id: 1, a: new Map() },
    ];
    for (const value of none) expect(refusal(value as Datum)).to.match(/is not a value of ReQL\.$/);
  });

  it('refuses a document that is larger than a record of the log', () => {
    expect(refusal({ id: 1, a: 'x'.repeat(64 * 1_048_576) })).to.match(/is too large/);
  });

  it('takes what is at the limits', () => {
    stored({ id: 1, value: nested(datumDepthMax - 1) });
    stored({ id: 1, value: Array<Datum>(100_000).fill(0) });
    expect(stored({ id: 1, value: 1.7e308 })).to.equal('{"id":1,"value":1.7e+308}');
  });

  it('writes times with whole milliseconds, and zones and bytes in one form', () => {
    const written = (value: Datum): Datum => parseText(stored({ id: 1, value }));
    expect(written(time({ epoch_time: 1.23456, timezone: 'Z' }))).to.deep.equal({
      id: 1,
      value: time({ epoch_time: 1.235, timezone: '+00:00' }),
    });
    expect(written(time({ epoch_time: -0.0005, timezone: '+0230' }))).to.deep.equal({
      id: 1,
      value: time({ epoch_time: -0.001, timezone: '+02:30' }),
    });
    for (const data of ['YQ', 'YQ=', 'Y Q\r\n==', 'YR=='])
      expect(written(binary({ data }))).to.deep.equal({ id: 1, value: binary({ data: 'YQ==' }) });
  });

  it('writes every document that it takes so that it is read back as the same value', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const at = encodePrimaryKey(document['id'] as Datum);
        const { text, bytes } = validDocument(document, { key: at, primaryKey, old: null });
        expect(decodeUtf8(bytes)).to.equal(text);
        expect(compareDatum(parseText(text), document)).to.equal(0);
        expect(stored(parseText(text), at)).to.equal(text);
      }),
    );
  });
});
