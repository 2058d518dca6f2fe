import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pythonWithDriver } from '../drivers/python-driver.ts';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import { readCases } from './cases.ts';
import type { Case } from './cases.ts';

/**
 * RethinkDB's polyglot cases through the official Python driver against a node, beside what
 * RethinkDB 2.4.4 passed. A report, not a test: it needs files that are not part of the project.
 *
 *     node test/conformance/main.ts [FILE...]     FILE: a part of a file's name
 *     VERBOSE=1                                   also what was expected and found
 *     SHARDS=4                                    tables of several shards
 *     NODE=HOST:PORT                              against a node that runs, such as one of `npm run cluster`
 */
const root = join(import.meta.dirname, '../../../shared/conformance/reql');
const reference = 'rethinkdb-2.4.4-py.json';

interface Target {
  readonly host: string;
  readonly driverPort: number;
  end(): Promise<void>;
}

interface FileReport {
  readonly cases: number;
  readonly passed: number;
  readonly failures: readonly {
    readonly case: Case;
    readonly verdict: string;
  }[];
}

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

function referenceResults(): Record<string, { cases: number; passed: number }> {
  return JSON.parse(readFileSync(join(root, reference), 'utf8')) as ReturnType<
    typeof referenceResults
  >;
}

/** The judge takes one file a line and answers one line of verdicts. */
async function* judged(served: Target, files: readonly string[]): AsyncGenerator<FileReport> {
  const python = await pythonWithDriver();
  const script = join(import.meta.dirname, 'judge.py');
  const judge = spawn(python, [script, served.host, String(served.driverPort)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(judge, 'exit');
  const lines = createInterface({ input: judge.stdout })[Symbol.asyncIterator]();
  for (const file of files) {
    const job = readCases(join(root, file));
    judge.stdin.write(`${JSON.stringify(job)}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the judge ended at ${file}`);
    const verdicts = JSON.parse(value) as (string | null)[];
    yield reportOf(job.cases, verdicts);
  }
  judge.stdin.end();
  await exit;
}

export function reportOf(cases: readonly Case[], verdicts: readonly (string | null)[]): FileReport {
  const failures = cases.flatMap((each, at) => {
    const verdict = verdicts[at];
    return verdict === null || verdict === undefined ? [] : [{ case: each, verdict }];
  });
  const runs = cases.filter(({ kind }) => kind === 'run').length;
  const failedRuns = failures.filter(({ case: { kind } }) => kind === 'run').length;
  return { cases: runs, passed: runs - failedRuns, failures };
}

/** A node of its own in a new directory, or the one that `NODE` names. */
async function targetNode(): Promise<Target> {
  const [host, port] = process.env['NODE']?.split(':') ?? [];
  if (host !== undefined) return { host, driverPort: Number(port), end: () => Promise.resolve() };
  const directory = temporaryDirectory();
  const served = await serve(directory);
  return {
    host: served.host,
    driverPort: served.driverPort,
    async end() {
      await end(served);
      removeDirectory(directory);
    },
  };
}

async function main(wanted: readonly string[]): Promise<void> {
  if (!existsSync(root)) {
    print(`no conformance files at ${root}`);
    return;
  }
  const expected = referenceResults();
  const files = Object.keys(expected).filter(
    (file) =>
      existsSync(join(root, file)) &&
      (wanted.length === 0 || wanted.some((part) => file.includes(part))),
  );
  const served = await targetNode();
  const total = { cases: 0, passed: 0, reference: 0 };
  try {
    let at = 0;
    for await (const report of judged(served, files)) {
      const file = files[at] ?? '';
      at += 1;
      const peer = expected[file] ?? { passed: 0, cases: 0 };
      print(
        `${file.padEnd(40)} ${report.passed}/${report.cases}   RethinkDB ${peer.passed}/${peer.cases}`,
      );
      if (process.env['VERBOSE'] === '1')
        for (const { case: failed, verdict } of report.failures)
          print(`  ${failed.line}: ${failed.source.slice(0, 200)}\n      ${verdict}`);
      total.cases += report.cases;
      total.passed += report.passed;
      total.reference += peer.passed;
    }
  } finally {
    await served.end();
  }
  print(`${'all'.padEnd(40)} ${total.passed}/${total.cases}   RethinkDB ${total.reference}`);
}

if (import.meta.main) await main(process.argv.slice(2));
