import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { goSuites, queryResults, runGoSuite, testResults } from './go-suites.ts';
import type { SuiteResult } from './go-suites.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

/**
 * What the suites of the Go driver say, beside the table of what they are known to say. A case that failed
 * and is not in the table is an error; one in the table that passes is reported: take it out.
 * `PHOTONDB_TEST_UPDATE=1` writes the table; a failure without a known reason gets none, and stays an error.
 */
const tablePath = join(import.meta.dirname, 'go', 'expected.json');
const update = process.env['PHOTONDB_TEST_UPDATE'] === '1';

/**
 * Why a case may fail. The first five are terms that this version does not have. `resharding` changes the number of
 * shards of a table with documents, which this version refuses. `wall clock` is a case that gives
 * the server 10 ms for an answer, which a busy machine does not promise.
 */
const reasons = [
  'changefeeds',
  'geo',
  'r.js',
  'r.http',
  'users',
  'resharding',
  'order of rows',
  'wall clock',
] as const;
type Reason = (typeof reasons)[number];

interface ExpectedSuite {
  readonly cases: number;
  readonly failures: Readonly<Partial<Record<Reason, readonly number[]>>>;
}

interface Expected {
  readonly queries: Readonly<Record<string, ExpectedSuite>>;
  readonly tests: Readonly<Record<string, Reason | 'passes'>>;
}

const expected = JSON.parse(readFileSync(tablePath, 'utf8')) as Expected;

/** By the name of the suite, or by the term that the server says it does not have. */
function reasonOf(suite: string, failure: string): Reason | undefined {
  const [, missing = ''] = /The term (\w+) is not implemented/.exec(failure) ?? [];
  if (suite.startsWith('TestGeo')) return 'geo';
  if (suite.startsWith('TestChangefeeds') || missing === 'CHANGES') return 'changefeeds';
  if (missing === 'JAVASCRIPT') return 'r.js';
  if (missing === 'HTTP') return 'r.http';
  if (missing === 'GRANT') return 'users';
  return /^(POINT|LINE|POLYGON|CIRCLE|GEOJSON)$/.test(missing) ? 'geo' : undefined;
}

function tableOf(
  suites: ReadonlyMap<string, SuiteResult>,
  tests: ReadonlyMap<string, boolean>,
): Expected {
  const queries = [...suites].map(([suite, { lines, failures }]) => {
    const before = expected.queries[suite]?.failures ?? {};
    const known = (line: number): Reason | undefined =>
      reasons.find((reason) => before[reason]?.includes(line) === true);
    const byReason: Partial<Record<Reason, number[]>> = {};
    for (const [line, failure] of failures) {
      const reason = known(line) ?? reasonOf(suite, failure);
      if (reason !== undefined) (byReason[reason] ??= []).push(line);
    }
    return [suite, { cases: lines.length, failures: byReason }] as const;
  });
  const verdicts = [...tests].map(([name, passed]) => {
    const before = expected.tests[name];
    return [name, passed ? 'passes' : (before ?? 'passes')] as const;
  });
  return {
    queries: Object.fromEntries(queries.sort(([a], [b]) => (a < b ? -1 : 1))),
    tests: Object.fromEntries(verdicts.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

describe('the suites of the Go driver', function goDriver() {
  this.timeout(1_000_000);
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let suites: ReadonlyMap<string, SuiteResult> = new Map();
  let tests: ReadonlyMap<string, boolean> = new Map();

  before(async () => {
    const programs = await goSuites();
    served = await serve(directory);
    const address = `${served.host}:${served.driverPort}`;
    suites = queryResults(await runGoSuite(join(programs, 'reql_tests'), address));
    tests = testResults(await runGoSuite(join(programs, 'tests'), address, ['-check.v']));
    if (update) writeFileSync(tablePath, `${JSON.stringify(tableOf(suites, tests), null, 2)}\n`);
  });

  after(async () => {
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  it('are those of the table', () => {
    expect([...suites.keys()]).to.have.members(Object.keys(expected.queries));
    expect([...tests.keys()]).to.have.members(Object.keys(expected.tests));
  });

  for (const [suite, { cases, failures }] of Object.entries(expected.queries)) {
    it(`${suite}: ${cases} queries`, () => {
      const found = suites.get(suite);
      const known = new Set(reasons.flatMap((reason) => failures[reason] ?? []));
      expect(found?.lines.length).to.equal(cases);
      const wrong = [...(found?.failures ?? [])].filter(([line]) => !known.has(line));
      expect(
        wrong.map(([line]) => line),
        wrong.map(([line, failure]) => `line ${line}: ${failure}`).join('\n'),
      ).to.deep.equal([]);
      const better = [...known].filter((line) => found?.failures.has(line) !== true);
      if (better.length > 0) console.log(`      passes now: ${suite} ${better.join(', ')}`);
    });
  }

  it('and the tests of the driver itself', () => {
    const wrong = [...tests].filter(
      ([name, passed]) => !passed && expected.tests[name] === 'passes',
    );
    expect(wrong.map(([name]) => name)).to.deep.equal([]);
    const better = [...tests].filter(
      ([name, passed]) => passed && expected.tests[name] !== 'passes',
    );
    for (const [name] of better) console.log(`      passes now: ${name}`);
  });
});
