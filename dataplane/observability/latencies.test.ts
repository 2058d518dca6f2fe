import { expect } from 'chai';
import * as fc from 'fast-check';
import { Buckets, rowsBounds } from './buckets.ts';
import { Latencies, recordedIn } from './latencies.ts';
import { LatencyRecorder, microsecondsMax } from './latency-recorder.ts';

type Kind = 'read' | 'write';
const kinds: readonly Kind[] = ['read', 'write'];

/** As another process receives it. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('latencies of several processes', () => {
  it('are one distribution: percentiles within one percent, counts and sums exact', () => {
    const durations = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
    });
    fc.assert(
      fc.property(durations, fc.integer({ min: 1, max: 4 }), (values, workers) => {
        const latencies = new Latencies(kinds, () => 0);
        const recorders = Array.from({ length: workers }, () => new LatencyRecorder<Kind>());
        values.forEach((ms, at) => recorders[at % workers]?.record('read', ms));
        for (const recorder of recorders) latencies.add(recordedIn(sent(recorder.take())));
        const microseconds = values.map((ms) => Math.round(ms * 1_000)).sort((a, b) => a - b);
        const { read, write } = latencies.recent.kinds;
        expect(write).to.equal(undefined);
        expect(read?.count).to.equal(values.length);
        const median = microseconds[Math.ceil(values.length / 2) - 1] ?? 0;
        expect((read?.p50 ?? 0) * 1_000).to.be.closeTo(median, median * 0.01 + 1);
        const largest = microseconds.at(-1) ?? 0;
        expect((read?.max ?? 0) * 1_000).to.be.closeTo(largest, largest * 0.01 + 1);
        const [, histogram] = latencies.histograms[0] ?? [];
        expect(histogram?.count).to.equal(values.length);
        const sum = microseconds.reduce((total, each) => total + each, 0) / 1e6;
        expect(histogram?.sum).to.be.closeTo(sum, 1e-6);
      }),
      { numRuns: 30 },
    );
  });

  it('are taken once each', () => {
    const recorder = new LatencyRecorder<Kind>();
    recorder.record('write', 3);
    expect(recorder.take()).to.have.length(1);
    expect(recorder.take()).to.deep.equal([]);
    recorder.record('write', 1);
    expect(recorder.take()[0]?.sum).to.equal(1_000);
  });

  it('summarize the last minute, and keep their buckets', () => {
    let now = 0;
    const latencies = new Latencies(kinds, () => now);
    for (let count = 0; count < 100; count += 1) latencies.record('read', 10);
    now = 20_000;
    expect(latencies.recent.kinds.read).to.include({ count: 100, perSecond: 5 });
    now = 40_000;
    latencies.record('read', 1_000);
    now = 50_000;
    expect(latencies.recent.kinds.read?.count).to.equal(101);
    expect(latencies.recent.all.perSecond).to.equal(2.02);
    now = 80_000;
    expect(latencies.recent.kinds.read?.count).to.equal(1);
    now = 500_000;
    expect(latencies.recent.all.count).to.equal(0);
    expect(latencies.recent.kinds).to.deep.equal({});
    expect(latencies.histograms[0]?.[1].count).to.equal(101);
  });

  it('take a duration of any length', () => {
    const latencies = new Latencies(kinds, () => 0);
    const recorder = new LatencyRecorder<Kind>();
    for (const ms of [0, -1, 1e12, microsecondsMax / 1_000]) {
      latencies.record('read', ms);
      recorder.record('write', ms);
    }
    latencies.add(recordedIn(sent(recorder.take())));
    const { read, write } = latencies.recent.kinds;
    expect([read?.count, write?.count]).to.deep.equal([4, 4]);
  });

  it('leave out what is none of them, whatever another process sends', () => {
    const latencies = new Latencies(kinds, () => 0);
    const part = fc.record(
      {
        kind: fc.oneof(fc.constantFrom('read', 'write', 'other'), fc.anything()),
        sum: fc.anything(),
        counts: fc.oneof(fc.array(fc.double()), fc.anything()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.array(part), fc.anything()), (given) => {
        latencies.add(recordedIn(given));
        expect(latencies.recent.all.count).to.be.at.least(0);
      }),
    );
  });
});

describe('buckets', () => {
  it('count each value in the first bucket that holds it', () => {
    const buckets = new Buckets(rowsBounds);
    for (const rows of [0, 1, 10, 11, 1e9]) buckets.add(rows);
    expect(buckets.counts.slice(0, 4)).to.deep.equal([1, 1, 1, 1]);
    expect(buckets.counts.at(-1)).to.equal(1);
    expect([buckets.count, buckets.sum]).to.deep.equal([5, 1_000_000_022]);
  });

  it('move from one process to another, once', () => {
    const [own, all] = [new Buckets(rowsBounds), new Buckets(rowsBounds)];
    own.add(5);
    all.merge(sent(own.take()));
    all.merge(sent(own.take() ?? null));
    own.add(7);
    all.merge(sent(own.take()));
    expect([all.count, all.sum]).to.deep.equal([2, 12]);
  });

  it('do not take what is of another shape', () => {
    const buckets = new Buckets(rowsBounds);
    const junk = fc.oneof(
      fc.anything(),
      fc.record({
        counts: fc.array(fc.oneof(fc.constant(-1), fc.constant('1')), {
          minLength: rowsBounds.length + 1,
          maxLength: rowsBounds.length + 1,
        }),
        sum: fc.constant(1),
      }),
    );
    fc.assert(fc.property(junk, (given) => buckets.merge(given)));
    expect(buckets.count).to.equal(0);
  });
});
