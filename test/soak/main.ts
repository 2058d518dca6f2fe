import { parseArgs } from 'node:util';
import { walSoak } from './wal-soak.ts';
import type { SoakOptions } from './wal-soak.ts';

/**
 * `npm run soak -- wal [PART...] [--rounds N] [--seeds N]`: what takes too long for `npm test`, which runs
 * samples of it. Ends with 0 when nothing was wrong, 1 otherwise, 2 when it was called wrongly.
 */
const soaks = { wal: walSoak };
const defaults = { rounds: '1000', seeds: '10000' };

function usage(problem: string): never {
  const parts = Object.keys(walSoak).join(', ');
  console.error(
    `${problem}\nnpm run soak -- wal [PART...] [--rounds N] [--seeds N], PART of: ${parts}`,
  );
  process.exit(2);
}

function readArguments(): { parts: readonly string[]; options: SoakOptions } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: defaults.rounds },
      seeds: { type: 'string', default: defaults.seeds },
    },
  });
  const [name = '', ...wanted] = positionals;
  if (!Object.hasOwn(soaks, name)) usage('Say what: wal.');
  const unknown = wanted.find((part) => !Object.hasOwn(walSoak, part));
  if (unknown !== undefined) usage(`No such part: ${unknown}.`);
  const [rounds, seeds] = [Number(values.rounds), Number(values.seeds)];
  for (const count of [rounds, seeds]) {
    if (!Number.isSafeInteger(count) || count < 1) usage('Counts are numbers from 1 on.');
  }
  const parts = wanted.length > 0 ? wanted : Object.keys(walSoak);
  return { parts, options: { rounds, seeds, progress: (text) => console.log(`  ${text}`) } };
}

let failed = 0;
const { parts, options } = readArguments();
for (const part of parts) {
  const started = performance.now();
  console.log(part);
  try {
    const summary = await walSoak[part]?.(options);
    console.log(`ok ${part}: ${summary} (${((performance.now() - started) / 1_000).toFixed(0)} s)`);
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${part}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
