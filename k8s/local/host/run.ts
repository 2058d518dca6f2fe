import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LocalError } from './errors.ts';

/**
 * Runs commands of the machine. Arguments are always a list, never a line for a shell, and every
 * command has a deadline.
 */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text for standard input; without it standard input is empty. */
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each line of standard output and standard error as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface RunResult {
  /** The exit code; 128 and more when a signal ended the command. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Long enough for any single command here but the build, which says its own. */
const timeoutMsDefault = 120_000;
/** Characters of a command's output that are kept: its end, which has the error. */
const outputCharactersMax = 32 * 1024 * 1024;
/** Exit code of a command that a signal ended, as shells have it. */
const signalledCode = 137;

/** Collects the end of a stream and hands on its lines. */
function collector(onLine?: (line: string) => void): { add(chunk: string): void; text(): string } {
  let text = '';
  let rest = '';
  return {
    add(chunk) {
      text = (text + chunk).slice(-outputCharactersMax);
      if (onLine === undefined) return;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    },
    text: () => text,
  };
}

export function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...args] = command;
  const timeout = AbortSignal.timeout(options.timeoutMs ?? timeoutMsDefault);
  const signal =
    options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
    });
    const stdout = collector(options.onLine);
    const stderr = collector(options.onLine);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => stdout.add(chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => stderr.add(chunk));
    child.stdin.on('error', () => undefined); // It may end without reading its input.
    child.on('error', (error) => reject(startError(program, error, options)));
    child.on('close', (code) =>
      resolve({ code: code ?? signalledCode, stdout: stdout.text(), stderr: stderr.text() }),
    );
    child.stdin.end(options.input ?? '');
  });
}

function startError(program: string, error: Error, options: RunOptions): LocalError {
  if ('code' in error && error.code === 'ENOENT') {
    return new LocalError('local.command_missing', `the command "${program}" is not installed`);
  }
  if (options.signal?.aborted === true) {
    return new LocalError('local.interrupted', `interrupted while running ${program}`);
  }
  if (error.name === 'AbortError') {
    const seconds = (options.timeoutMs ?? timeoutMsDefault) / 1000;
    return new LocalError('local.timeout', `${program} did not end within ${seconds} s`);
  }
  return new LocalError('local.command_failed', `${program}: ${error.message}`, undefined, error);
}

/** Runs a command that has to succeed; answers its standard output. */
export async function mustRun(
  command: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-12).join('\n');
  throw new LocalError(
    'local.command_failed',
    `"${command.join(' ').slice(0, 400)}" ended with code ${result.code}: ${said}`,
  );
}

/** Starts a program that outlives this one, in a session of its own, with its output in a file. */
export function startDetached(command: readonly string[], logFile: string): void {
  const [program = '', ...args] = command;
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
    child.on('error', () => undefined); // Whoever waits for it finds it missing and reads the log.
    child.unref();
  } finally {
    closeSync(log);
  }
}

type Word = string | number | readonly string[];

/**
 * A command line as it is written, for example words`ip link delete ${device}`: split at its white
 * space, while a value stays one word whatever it contains, and a list becomes several words.
 */
export function words(text: TemplateStringsArray, ...values: readonly Word[]): string[] {
  const result: string[] = [];
  let word: string | undefined;
  const end = (): void => {
    if (word !== undefined) result.push(word);
    word = undefined;
  };
  text.forEach((part, position) => {
    for (const [piece] of part.matchAll(/\s+|\S+/g)) {
      if (/\s/.test(piece)) end();
      else word = (word ?? '') + piece;
    }
    const value = values[position];
    if (typeof value === 'object') result.push(...value);
    else if (value !== undefined) word = (word ?? '') + String(value);
  });
  end();
  return result;
}
