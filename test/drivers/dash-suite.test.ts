import { execFile } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { javaScriptDrivers } from './javascript-drivers.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

const run = promisify(execFile);

/**
 * The suite of rethinkdbdash, the one JavaScript driver whose package carries its tests, beside the table of
 * what is known to fail. A test that fails and is not in the table is an error; one in the table that passes
 * is reported. `PHOTONDB_TEST_UPDATE=1` writes the table; a failure without a known reason is left out.
 */
const tablePath = join(import.meta.dirname, 'javascript', 'dash-suite.json');
const mocha = join(import.meta.dirname, '../../node_modules/mocha/bin/mocha.js');
const suiteDeadlineMs = 240_000;
const testDeadlineMs = 20_000;

/** These hang: streams as Node had them until version 12, feeds that die, and rules of names of RethinkDB 1. */
const hanging = 'pipe|toStream\\(\\(writable|connection dies|special char';

interface Report {
  readonly passes: readonly { readonly fullTitle: string }[];
  readonly failures: readonly { readonly fullTitle: string; readonly err: { message?: string } }[];
}

interface Expected {
  readonly passes: number;
  readonly failures: Readonly<Record<string, string>>;
}

const expected = JSON.parse(readFileSync(tablePath, 'utf8')) as Expected;

const update = process.env['PHOTONDB_TEST_UPDATE'] === '1';
const geo =
  /^(POINT|LINE|POLYGON|POLYGON_SUB|CIRCLE|GEOJSON|TO_GEOJSON|DISTANCE|FILL|INCLUDES|GET_NEAREST|GET_INTERSECTING|INTERSECTS)$/;

function reasonOf(message: string): string | undefined {
  const [, term = ''] = /The term (\w+) is not implemented/.exec(message) ?? [];
  if (term === 'CHANGES') return 'changefeeds';
  if (term === 'JAVASCRIPT') return 'r.js';
  if (term === 'HTTP') return 'r.http';
  if (term === 'GRANT') return 'users';
  return geo.test(term) || message.includes('Geospatial indexes') ? 'geo' : undefined;
}

function tableOf({ passes, failures }: Report): Expected {
  const known = failures.flatMap(({ fullTitle, err: { message = '' } }) => {
    const reason = expected.failures[fullTitle] ?? reasonOf(message);
    return reason === undefined ? [] : [[fullTitle, reason] as const];
  });
  return { passes: passes.length, failures: Object.fromEntries(known) };
}

describe('the suite of rethinkdbdash', function dashSuite() {
  this.timeout(600_000);
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let report: Report = { passes: [], failures: [] };

  before(async () => {
    const cwd = join(await javaScriptDrivers(), 'rethinkdbdash');
    served = await serve(directory);
    const output = join(directory, 'report.json');
    const files = globSync('test/*.js', { cwd });
    const reporter = ['--reporter', 'json', '--reporter-option', `output=${output}`];
    const chosen = ['--grep', hanging, '--invert', '--timeout', String(testDeadlineMs)];
    const args = [mocha, '--no-config', '--exit', ...reporter, ...chosen, ...files.sort()];
    const env = {
      ...process.env,
      WERCKER_RETHINKDB_HOST: served.host,
      WERCKER_RETHINKDB_PORT: String(served.driverPort),
    };
    // It ends with the number of failures.
    const options = { cwd, env, timeout: suiteDeadlineMs, maxBuffer: 64 * 1_048_576 };
    await run(process.execPath, args, options).catch(() => undefined);
    report = JSON.parse(readFileSync(output, 'utf8')) as Report;
    if (update) writeFileSync(tablePath, `${JSON.stringify(tableOf(report), null, 2)}\n`);
  });

  after(async () => {
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  it(`passes ${expected.passes} tests, and fails where a term is missing`, () => {
    const wrong = report.failures.filter(
      ({ fullTitle }) => !Object.hasOwn(expected.failures, fullTitle),
    );
    expect(
      wrong.map(({ fullTitle }) => fullTitle),
      wrong.map(({ fullTitle, err }) => `${fullTitle}: ${err.message ?? ''}`).join('\n'),
    ).to.deep.equal([]);
    expect(report.passes.length).to.be.greaterThanOrEqual(expected.passes);
    const failed = new Set(report.failures.map(({ fullTitle }) => fullTitle));
    const better = Object.keys(expected.failures).filter((title) => !failed.has(title));
    for (const title of better) console.log(`      passes now: ${title}`);
  });
});
