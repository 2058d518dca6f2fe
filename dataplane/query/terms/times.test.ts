import { expect } from 'chai';
import * as fc from 'fast-check';
import { times } from '../../datum/testing/arbitrary.ts';
import { Bench } from '../testing/run.ts';

const bench = new Bench();
const iso = (text: string): unknown => [99, [text]];
const shown = (time: unknown): unknown => [100, [time]];

/** A text, and the same time as it is shown. */
const read: readonly (readonly [string, string])[] = [
  ['2012-02-29T00:00:00Z', '2012-02-29T00:00:00+00:00'],
  ['20130704T010203.5-0800', '2013-07-04T01:02:03.500-08:00'],
  ['2013T05+02', '2013-01-01T05:00:00+02:00'],
  ['2013-05T0506Z', '2013-05-01T05:06:00+00:00'],
  ['2013-365T00Z', '2013-12-31T00:00:00+00:00'],
  ['2012366T00Z', '2012-12-31T00:00:00+00:00'],
  ['2009-W53-7T00Z', '2010-01-03T00:00:00+00:00'],
  ['2013W011T00Z', '2012-12-31T00:00:00+00:00'],
  ['2013-01-01T23:59:59.9999Z', '2013-01-02T00:00:00+00:00'],
  ['1400-01-01T00Z', '1400-01-01T00:00:00+00:00'],
];

const refused: readonly (readonly [string, RegExp])[] = [
  ['2013-02-29T00Z', /Day of month is not valid for year/],
  ['1900-02-29T00Z', /Day of month is not valid for year/],
  ['2013-04-31T00Z', /Day of month is not valid for year/],
  ['2013-13-01T00Z', /Month number is out of range/],
  ['2013-00-01T00Z', /Month number is out of range/],
  ['2013-01-00T00Z', /Day of month value is out of range/],
  ['2013-01-32T00Z', /Day of month value is out of range/],
  ['2013-366T00Z', /Day of year value is out of range 1\.\.365/],
  ['2013-000T00Z', /Day of year value is out of range/],
  ['2013-W53-1T00Z', /Week number is out of range 1\.\.52/],
  ['2013-W00-1T00Z', /Week number is out of range/],
  ['2013-W01-8T00Z', /Day of week value is out of range/],
  ['2013-W01-0T00Z', /Day of week value is out of range/],
  ['1399-01-01T00Z', /Year is out of valid range: 1400\.\.10000/],
  ['2013-01-01T24:00:00Z', /Hour value is out of range/],
  ['2013-01-01T00:60Z', /Minute value is out of range/],
  ['2013-01-01T00:00:60Z', /Second value is out of range/],
  ['2013-01-01T00:00Z+', /./],
  ['2013-01-01T00:0000Z', /must have 0 or 2 colons/],
  ['2013-0101T00Z', /must have 0 or 2 hyphens/],
  ['201301-01T00Z', /must have 0 or 2 hyphens/],
  ['2013-01-01-01T00Z', /Garbage characters `-01` at end of date string/],
  ['2013-01-0aT00Z', /got `a` but expected a digit/],
  ['201T00Z', /Invalid date string `201`/],
  ['', /Invalid date string ``/],
  ['2013-01-01T00', /ISO 8601 string has no time zone/],
  ['2013-01-01T00+25:00', /Hours out of range in `\+25:00`/],
  ['2013-01-01T00-00:00', /`-00:00` is not a valid time offset/],
  ['2013-01-01 00:00Z', /./],
];

const parts = (...values: readonly unknown[]): unknown => [136, [...values, 'Z']];

describe('times', () => {
  for (const [text, expected] of read) {
    it(`reads ${text}`, async () => {
      expect(await bench.run(shown(iso(text)))).to.equal(expected);
    });
  }

  for (const [text, reason] of refused) {
    it(`refuses ${text === '' ? 'an empty text' : text}`, async () => {
      const [type, message] = await bench.failure(iso(text));
      expect(type).to.equal(3_000_000);
      expect(message).to.match(reason);
    });
  }

  it('refuses parts that no calendar and no clock has', async () => {
    const wrong = [
      parts(2013, 2, 29),
      parts(2013, 13, 1),
      parts(2013, 6, 31),
      parts(2013, 0, 1),
      parts(1399, 1, 1),
      parts(10_001, 1, 1),
      parts(2013, 1, 1, 24, 0, 0),
      parts(2013, 1, 1, 0, 60, 0),
      parts(2013, 1, 1, 0, 0, 60),
      parts(2013, 1, 1, 0, 0, -1),
    ];
    for (const term of wrong)
      expect((await bench.failure(term))[1]).to.match(/^Error in time logic: /);
    expect(await bench.run(shown(parts(2012, 2, 29, 23, 59, 59.9994)))).to.equal(
      '2012-02-29T23:59:59.999+00:00',
    );
  });

  it('have milliseconds, whatever they are made of', async () => {
    const seconds = (time: unknown): Promise<unknown> => bench.run([102, [time]]);
    expect(await seconds([101, [1.23456]])).to.equal(1.235);
    expect(await seconds([101, [-0.0005]])).to.equal(-0.001);
    expect(await seconds([24, [[101, [1]], 0.00049]])).to.equal(1);
    expect(
      await bench.run([
        25,
        [
          [101, [0.3]],
          [101, [0.1]],
        ],
      ]),
    ).to.equal(0.2);
    const raw = { $reql_type$: 'TIME', epoch_time: 1.23456, timezone: 'Z' };
    expect(await bench.run(raw)).to.deep.equal({
      $reql_type$: 'TIME',
      epoch_time: 1.235,
      timezone: '+00:00',
    });
    expect(await bench.run([17, [raw, [101, [1.235]]]])).to.equal(true);
  });

  it('end with the calendar', async () => {
    const year = 'Error in time logic: Year is out of valid range: 1400..10000.';
    expect((await bench.failure([128, [[101, [253_440_000_000]]]]))[1]).to.equal(year);
    expect((await bench.failure([128, [[101, [-17_990_000_000]]]]))[1]).to.equal(year);
    expect((await bench.failure([100, [[101, [1e300]]]]))[1]).to.equal(year);
    const iso8601 = 'Year `10000` out of valid ISO 8601 range [0, 9999].';
    expect((await bench.failure(shown([101, [253_430_000_000]])))[1]).to.equal(iso8601);
    expect((await bench.failure([24, [[101, [1.7e308]], 1.7e308]]))[1]).to.equal(
      'Non-finite number: inf',
    );
  });

  it('are read back from their text', async () => {
    await fc.assert(
      fc.asyncProperty(times, async (time) => {
        expect(await bench.run([99, [shown(time)]])).to.deep.equal(time);
        const [date, ofDay] = [
          [106, [time]],
          [126, [time]],
        ];
        expect(await bench.run([17, [[24, [date, ofDay]], time]])).to.equal(true);
      }),
    );
  });
});
