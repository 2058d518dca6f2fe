import { once } from 'node:events';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { RealDisk } from '../../disk/real-disk.ts';
import { commands } from './commands.ts';
import type { DumpFilter } from './commands.ts';
import { inspect, segmentsIn } from './inspect.ts';

/**
 * `npm run wal -- verify|dump|stat DIRECTORY [--group N] [--payload] [--live-copy]`: looks at a log that
 * no node has open, or at a copy. Opens nothing for writing. Ends with 0 when all is well, 1 when
 * something is damaged, 2 when it was called wrongly.
 */
const exitCode = { fine: 0, damage: 1, usage: 2 } as const;

const usageText = `npm run wal -- verify|dump|stat DIRECTORY [--group N] [--payload] [--live-copy]
  verify       verifies the checksums of the log
  dump         prints one line for each record; --group N: of one group; --payload: with its bytes
  stat         prints what each segment contains
  --live-copy  the directory is a copy of the log of a running node
  -h, --help   prints this text
DIRECTORY is the data directory of a node (its --data-dir), or the folder wal in it.`;

interface Request {
  readonly isHelp: boolean;
  readonly command: string;
  readonly directory: string;
  readonly filter: DumpFilter;
  readonly isLiveCopy: boolean;
}

const noRequest = {
  command: '',
  directory: '',
  filter: { group: undefined, withPayload: false },
  isLiveCopy: false,
} as const;

class UsageError extends Error {}

function readArguments(args: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      group: { type: 'string' },
      payload: { type: 'boolean', default: false },
      'live-copy': { type: 'boolean', default: false },
    },
  });
  const [command = '', directory, ...more] = positionals;
  if (values.help) return { ...noRequest, isHelp: true };
  if (!Object.hasOwn(commands, command)) throw new UsageError(`unknown command "${command}"`);
  if (directory === undefined || more.length > 0) throw new UsageError('name one directory');
  const group = values.group === undefined ? undefined : Number(values.group);
  if (group !== undefined && (!Number.isSafeInteger(group) || group < 0)) {
    throw new UsageError('--group is a number');
  }
  const filter = { group, withPayload: values.payload };
  return { isHelp: false, command, directory, filter, isLiveCopy: values['live-copy'] };
}

/** The log lies in a folder of the data directory, which the other commands take as an argument. */
async function logDirectoryOf(disk: RealDisk, directory: string): Promise<string> {
  for (const each of [directory, join(directory, 'wal')]) {
    if ((await segmentsIn(disk, each)).length > 0) return each;
  }
  throw new UsageError(
    `${directory} holds no segment of a write-ahead log, nor does a folder wal in it`,
  );
}

const output = {
  async line(text: string): Promise<void> {
    if (!stdout.write(`${text}\n`)) await once(stdout, 'drain');
  },
  problem: (text: string): void => void stderr.write(`${text}\n`),
};

async function main(args: readonly string[]): Promise<number> {
  const disk = new RealDisk();
  try {
    const request = readArguments(args);
    if (request.isHelp) {
      await output.line(usageText);
      return exitCode.fine;
    }
    const { command, filter, isLiveCopy } = request;
    const directory = await logDirectoryOf(disk, request.directory);
    const segments = inspect({ disk, directory, isLiveCopy });
    const isFine = await commands[command]?.(segments, output, filter);
    return isFine === true ? exitCode.fine : exitCode.damage;
  } catch (error) {
    output.problem(error instanceof Error ? error.message : String(error));
    const isSystemError = error instanceof Error && 'syscall' in error;
    if (!isSystemError) output.problem(usageText);
    return exitCode.usage;
  }
}

// Whoever reads the lines may have seen enough.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCode.fine : exitCode.usage);
});
process.exitCode = await main(argv.slice(2));
