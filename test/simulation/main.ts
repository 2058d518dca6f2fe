import { runCluster, runQuarantine, runReconfiguration } from './cluster/scenario.ts';
import { FlippedRow } from './database/flipped-row.ts';
import { runRouting } from './database/routing-scenario.ts';
import { runDatabase } from './database/scenario.ts';
import { runGossip } from './gossip/scenario.ts';
import { reportedSizes, writeSizes } from './gossip/size-report.ts';
import { runRaft } from './raft/scenario.ts';

/**
 * `npm run simulate -- --seeds 100 [--first 1] [--scenario NAME] [--trace]`: runs a scenario for many
 * seeds, prints each failing one with the command that replays it, and ends with `N passed, N failed`.
 * `--scenario gossip-sizes [--sizes 3,10]` writes the table and the charts of docs/internals/gossip.md.
 */
const scenarios: Readonly<
  Record<string, (seed: number, trace: (line: string) => void) => object | Promise<object>>
> = {
  raft: runRaft,
  gossip: runGossip,
  cluster: (seed, trace) => runCluster(seed, trace),
  reconfiguration: runReconfiguration,
  quarantine: runQuarantine,
  database: runDatabase,
  flips: (seed, trace) => runDatabase(seed, trace, new FlippedRow()),
  routing: runRouting,
};

function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

const name = option('scenario', 'raft');
if (name === 'gossip-sizes') {
  writeSizes(option('sizes', reportedSizes.join()).split(',').map(Number), console.log);
  process.exit();
}
const scenario = scenarios[name];
const [seeds, first] = [Number(option('seeds', '100')), Number(option('first', '1'))];
if (scenario === undefined || !Number.isSafeInteger(seeds) || !Number.isSafeInteger(first)) {
  console.error(
    `usage: npm run simulate -- --seeds N [--first N] [--scenario ${Object.keys(scenarios).join('|')}] [--trace]`,
  );
  process.exit(2);
}
const isTraced = process.argv.includes('--trace');
const totals = { passed: 0, failed: 0 };
const sums: Record<string, number> = {};
const startedAt = performance.now();
for (let seed = first; seed < first + seeds; seed += 1) {
  try {
    const result = await scenario(seed, (line) => {
      if (isTraced) console.log(line);
    });
    totals.passed += 1;
    for (const [key, value] of Object.entries(result)) sums[key] = (sums[key] ?? 0) + Number(value);
    if (isTraced) console.log(JSON.stringify(result));
  } catch (error) {
    totals.failed += 1;
    console.log(`seed ${seed}: ${(error as Error).stack ?? String(error)}`);
    console.log(`  npm run simulate -- --scenario ${name} --first ${seed} --seeds 1 --trace`);
  }
}
console.log(JSON.stringify(sums));
const simulated = (sums['simulatedMs'] ?? 0) / 1_000;
if (simulated > 0) {
  const { user, system } = process.cpuUsage();
  const rates = {
    'of CPU time': (user + system) / 1_000_000,
    'of real time': (performance.now() - startedAt) / 1_000,
  };
  const parts = Object.entries(rates).map(
    ([what, seconds]) => `${Math.round(simulated / seconds)} per second ${what}`,
  );
  console.log(`${Math.round(simulated)} simulated seconds: ${parts.join(', ')}`);
}
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;
