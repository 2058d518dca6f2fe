import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PhotonError } from '../../common/errors.ts';

/** One node of a local cluster: a process that prints a line when it serves. */
class NodeEndedError extends PhotonError {
  readonly code = 'node.ended';
}

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
/** Of the last output, for the message of a node that does not come to serve. */
const linesKept = 20;

export class NodeProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ready = Promise.withResolvers<string>();
  readonly #last: string[] = [];
  /** Resolves with a sentence when the process has ended. */
  readonly ended: Promise<string>;
  #line = '';

  constructor(name: string, flags: readonly string[], say: (line: string) => void) {
    this.name = name;
    const args = [program, '--node-name', name, ...flags];
    // A process group of its own: Ctrl-C in the terminal reaches the launcher alone.
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { stdout, stderr } = this.#child;
    if (stdout !== null) {
      createInterface({ input: stdout }).on('line', (line) => {
        if (line.startsWith('ready ')) this.#served(line);
      });
    }
    if (stderr !== null) {
      createInterface({ input: stderr }).on('line', (line) => {
        this.#last.push(line);
        if (this.#last.length > linesKept) this.#last.shift();
        if (line.startsWith('{')) say(line);
      });
    }
    this.#ready.promise.catch(() => undefined);
    this.ended = this.#untilEnd();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The line that the node has printed. */
  get line(): string {
    return this.#line;
  }

  /** Where it listens: one of the fields of the line. */
  address(field: string): string {
    return new RegExp(` ${field}=(\\S+)`).exec(this.#line)?.[1] ?? '';
  }

  /** Rejects when the process ends before. */
  get ready(): Promise<string> {
    return this.#ready.promise;
  }

  stop(): void {
    this.#child.kill('SIGTERM');
  }

  #served(line: string): void {
    this.#line = line;
    this.#ready.resolve(line);
  }

  async #untilEnd(): Promise<string> {
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, string | null];
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    const sentence = `${this.name} has ended ${how}`;
    this.#ready.reject(
      new NodeEndedError(`${sentence} before it served:\n${this.#last.join('\n')}`),
    );
    return sentence;
  }
}
