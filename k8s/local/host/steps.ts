/**
 * Shows what is going on: one line for each step with its time, and in between a line of progress
 * that is rewritten in place on a terminal, and printed now and then into a file.
 */
export interface Step {
  /** What is happening right now within the step. */
  progress(text: string): void;
}

export interface Steps {
  run<T>(name: string, task: (step: Step) => Promise<T> | T): Promise<T>;
  /** A line of its own between steps. */
  note(text: string): void;
}

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Into a file: at most one line of progress in this time, in ms. */
const plainProgressMs = 10_000;
/** On a terminal: the elapsed time is redrawn this often, in ms. */
const redrawMs = 500;

const seconds = (sinceMs: number, now: number): string =>
  `${((now - sinceMs) / 1000).toFixed(1)} s`;

export function consoleSteps(output: Output = process.stdout, now = Date.now): Steps {
  const terminal = output.isTTY === true;
  const clear = terminal ? '\r\u001B[2K' : '';
  return {
    note: (text) => void output.write(`${text}\n`),
    async run(name, task) {
      const started = now();
      let text = '';
      let shownAt = started;
      const draw = (): void => {
        const line = `  .. ${name}${text && `: ${text}`} (${seconds(started, now())})`;
        output.write(`${clear}${line.slice(0, (output.columns ?? 100) - 1)}`);
      };
      const timer = terminal ? setInterval(draw, redrawMs).unref() : undefined;
      if (terminal) draw();
      try {
        const result = await task({
          progress(next) {
            text = next;
            if (terminal) draw();
            else if (now() - shownAt >= plainProgressMs) {
              shownAt = now();
              output.write(`  .. ${name}: ${text} (${seconds(started, now())})\n`);
            }
          },
        });
        output.write(`${clear}  ok ${name}${text && `: ${text}`} (${seconds(started, now())})\n`);
        return result;
      } catch (error) {
        output.write(`${clear}  !! ${name} failed after ${seconds(started, now())}\n`);
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}

/** For tests and libraries: shows nothing. */
export const silentSteps: Steps = {
  note: () => undefined,
  run: async (_name, task) => task({ progress: () => undefined }),
};
