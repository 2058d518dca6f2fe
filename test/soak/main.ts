import { parseArgs } from 'node:util';
import { clusterSoak } from './cluster-soak.ts';
import { databaseSoak } from './database-soak.ts';
import { gossipSoak } from './gossip-soak.ts';
import { nodeSoak } from './node-soak.ts';
import type { Part, Soak, SoakOptions } from './part.ts';
import { querySoak } from './query-soak.ts';
import { raftSoak } from './raft-soak.ts';
import { storageSoak } from './storage-soak.ts';
import { walSoak } from './wal-soak.ts';

/**
 * `npm run soak -- NAME [PART...] [--rounds N] [--seeds N]`: what takes too long for `npm test`, which
 * runs samples of it. Ends with 0 when nothing was wrong, 1 otherwise, 2 when it was called wrongly.
 */
const soaks: Readonly<Record<string, Soak>> = {
  wal: walSoak,
  database: databaseSoak,
  node: nodeSoak,
  storage: storageSoak,
  query: querySoak,
  raft: raftSoak,
  gossip: gossipSoak,
  cluster: clusterSoak,
};
const defaults = { rounds: '1000', seeds: '10000' };

function usage(problem: string): never {
  const parts = Object.entries(soaks).map(([name, soak]) => {
    return `  ${name}: ${Object.keys(soak).join(', ')}`;
  });
  console.error(
    `${problem}\nnpm run soak -- NAME [PART...] [--rounds N] [--seeds N]\n${parts.join('\n')}`,
  );
  process.exit(2);
}

interface Arguments {
  readonly parts: readonly (readonly [name: string, run: Part])[];
  readonly options: SoakOptions;
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: defaults.rounds },
        seeds: { type: 'string', default: defaults.seeds },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function readArguments(): Arguments {
  const { values, positionals } = parsed();
  const [name = '', ...wanted] = positionals;
  const soak = Object.hasOwn(soaks, name) ? soaks[name] : undefined;
  if (soak === undefined) return usage(name === '' ? 'NAME is missing.' : `Unknown soak: ${name}.`);
  const unknown = wanted.find((part) => !Object.hasOwn(soak, part));
  if (unknown !== undefined) usage(`Unknown part: ${unknown}.`);
  const [rounds, seeds] = [Number(values.rounds), Number(values.seeds)];
  for (const count of [rounds, seeds]) {
    if (!Number.isSafeInteger(count) || count < 1)
      usage('--rounds and --seeds take whole numbers from 1.');
  }
  const parts = Object.entries(soak).filter(
    ([part]) => wanted.length === 0 || wanted.includes(part),
  );
  return { parts, options: { rounds, seeds, progress: (text) => console.log(`  ${text}`) } };
}

let failed = 0;
const { parts, options } = readArguments();
for (const [name, run] of parts) {
  const started = performance.now();
  console.log(name);
  try {
    const summary = await run(options);
    console.log(`ok ${name}: ${summary} (${((performance.now() - started) / 1_000).toFixed(0)} s)`);
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
