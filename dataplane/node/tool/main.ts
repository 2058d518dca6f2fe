import { argv, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { commands } from './commands.ts';
import { UsageError } from './names.ts';
import { repairUsage } from './repair.ts';

/**
 * `npm run storage -- COMMAND`: works on the data directory of a stopped node. What it has to
 * say goes to standard error, for standard output may be a table. Ends with 0 when all is well, 1 when
 * something is damaged or was not possible, 2 when it was called wrongly.
 */
const exitCode = { fine: 0, failed: 1, usage: 2 } as const;

const usageText = [
  ...Object.entries(commands).map(
    ([name, { takes, does }]) => `npm run storage -- ${name} ${takes.join(' ')}: ${does}`,
  ),
  ...repairUsage,
  'DIRECTORY is the data directory of a stopped node (its --data-dir).',
  'FILE may be -, for standard input or output; use npm --silent then.',
  '-h, --help prints this text.',
].join('\n');

const say = (text: string): void => void stderr.write(`${text}\n`);

async function main(args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      as: { type: 'string' },
      'sole-survivor': { type: 'boolean', default: false },
      'new-authority': { type: 'boolean', default: false },
      discard: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    stdout.write(`${usageText}\n`);
    return undefined;
  }
  const [name = '', ...rest] = positionals;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageError(`unknown command "${name}"`);
  const { takes, takesMore = false } = command;
  if (rest.length < takes.length || (rest.length > takes.length && !takesMore)) {
    throw new UsageError(`${name} takes ${command.takes.join(' ')}`);
  }
  return command.run({
    positionals: rest,
    as: values.as,
    discard: values.discard,
    isFinal: values['sole-survivor'],
    hasNewAuthority: values['new-authority'],
    signal,
  });
}

function codeOf(error: unknown): number {
  // Codes of some errors are numbers, and anything can be thrown.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isUsage = error instanceof UsageError || code.startsWith('ERR_PARSE_ARGS');
  return isUsage ? exitCode.usage : exitCode.failed;
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stop.abort(new Error('Interrupted: nothing was changed.')));
}
try {
  const done = await main(argv.slice(2), stop.signal);
  if (done !== undefined) say(done);
  process.exitCode = exitCode.fine;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = codeOf(error);
  if (process.exitCode === exitCode.usage) say(usageText);
}
