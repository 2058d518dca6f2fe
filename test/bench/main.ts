import { globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { asText, defaultRounds, measure } from './measure.ts';
import type { Benchmark, Result } from './measure.ts';

/**
 * `npm run bench -- NAME [--json] [--rounds N]`: one benchmark, which is the file NAME.bench.ts beside
 * this one. Figures belong to the machine they were taken on; only the ratios travel, and not far.
 */
const folder = dirname(fileURLToPath(import.meta.url));
const suffix = '.bench.ts';
const names = globSync(`*${suffix}`, { cwd: folder })
  .map((file) => basename(file, suffix))
  .sort();

function usage(problem: string): never {
  console.error(
    `${problem}\nnpm run bench -- NAME [--json] [--rounds N], NAME one of: ${names.join(', ')}`,
  );
  process.exit(2);
}

function options(): { name: string; json: boolean; rounds: number } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        rounds: { type: 'string', default: `${defaultRounds}` },
      },
    });
    const [name = '', ...more] = positionals;
    if (!names.includes(name) || more.length > 0) usage('Say which benchmark.');
    const rounds = Number(values.rounds);
    if (!Number.isSafeInteger(rounds) || rounds < 1) usage('--rounds is a number from 1 on.');
    return { name, json: values.json, rounds };
  } catch (error) {
    return usage((error as Error).message);
  }
}

const { name, json, rounds } = options();
const { benchmark } = (await import(join(folder, `${name}${suffix}`))) as { benchmark: Benchmark };
const results: Result[] = [];
if (!json) console.log(benchmark.about);
await benchmark.run(async (comparison) => {
  const result = await measure(comparison, rounds);
  results.push(result);
  if (!json) console.log(asText(result));
});
if (json) console.log(JSON.stringify({ name, about: benchmark.about, results }, undefined, 2));
