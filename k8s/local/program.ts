import { LocalError } from './host/errors.ts';

/**
 * The frame of each program here: Ctrl-C and SIGTERM abort what is under way, an error becomes its
 * sentence, and the process ends with the program's exit code.
 */
const interruptedCode = 130;
/** npm forwards a Ctrl-C that the terminal has already sent to the program. */
const samePressMs = 300;

export async function runProgram(main: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const abort = new AbortController();
  let interruptedAt: number | undefined;
  const interrupt = (): void => {
    abort.abort();
    const now = performance.now();
    if (interruptedAt !== undefined) {
      if (now - interruptedAt > samePressMs) process.exit(interruptedCode); // The user insists.
      return;
    }
    interruptedAt = now;
    console.error('\ninterrupted: stopping (once more to stop at once)');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let code: number;
  try {
    code = await main(abort.signal);
  } catch (error) {
    code = 1;
    // After Ctrl-C every command that was under way has failed: that is no news.
    if (abort.signal.aborted) console.error('Run the same command again to go on from here.');
    else explain(error);
  }
  process.exit(abort.signal.aborted ? interruptedCode : code);
}

function explain(error: unknown): void {
  if (!(error instanceof LocalError)) return console.error(error);
  console.error(`error: ${error.message}`);
  if (error.remedy !== undefined) console.error(error.remedy);
}
