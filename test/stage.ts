import { globSync } from 'node:fs';
import { join } from 'node:path';
import Mocha from 'mocha';

/**
 * Runs the test files that match patterns, in one process, and tells the parent process how many
 * passed and failed: `node test/stage.ts TIMEOUT_MS PATTERN... [!EXCLUDED...] [=PART_OF_A_PATH...]`.
 */
export interface StageResult {
  readonly passed: number;
  readonly failed: number;
  readonly pending: number;
  /** Full titles of the tests that failed or were skipped. */
  readonly unproven: readonly string[];
}

const root = join(import.meta.dirname, '..');

export function testFiles(patterns: readonly string[]): string[] {
  const excluded = patterns.filter((each) => each.startsWith('!')).map((each) => each.slice(1));
  const parts = patterns.filter((each) => each.startsWith('=')).map((each) => each.slice(1));
  const wanted = patterns.filter((each) => !each.startsWith('!') && !each.startsWith('='));
  return globSync(wanted, { cwd: root, exclude: ['**/node_modules/**', ...excluded] })
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
    .sort();
}

async function main([timeout, ...patterns]: readonly string[]): Promise<void> {
  const mocha = new Mocha({ timeout: Number(timeout), forbidOnly: true, reporter: 'spec' });
  for (const file of testFiles(patterns)) mocha.addFile(join(root, file));
  await mocha.loadFilesAsync();
  const unproven: string[] = [];
  const runner = mocha.run((failures) => {
    const { passes = 0, pending = 0 } = runner.stats ?? {};
    const result: StageResult = { passed: passes, failed: failures, pending, unproven };
    // What a test forgot to close must not keep the stage alive.
    process.send?.(result, () => process.exit(failures === 0 ? 0 : 1));
  });
  const note = (test: Mocha.Test): void => void unproven.push(test.fullTitle());
  runner.on('fail', note).on('pending', note);
}

if (import.meta.main) await main(process.argv.slice(2));
