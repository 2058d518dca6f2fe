import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { ChannelPipe } from './channel.ts';
import { ownBytesIn } from './supervision.ts';

/**
 * Edge: a query worker as a process of its own, with its channel (descriptor 3) and the socket on which all workers
 * accept connections (descriptor 4). A worker that does not answer accepts nothing, so that no client waits for it.
 */
const channelDescriptor = 3;

export interface WorkerProcessOptions {
  /** The program. */
  readonly entry: string;
  /** Of the program. */
  readonly args: readonly string[];
  readonly listenDescriptor: number;
  /** Inherited behind it, from 5 on. */
  readonly descriptors: readonly (number | 'ignore')[];
  /** Of the heap; the runtime ends the process at it. */
  readonly heapMebibytesMax: number;
  readonly received: (chunk: Buffer) => void;
  readonly drained: () => void;
  /** Called once, when the process is gone: how it ended, and the last that it wrote to standard error. */
  readonly ended: (how: string, lastWords: string) => void;
}

/**
 * Until the heap has this size, only new objects are collected. A heap that begins small is collected as a whole again
 * and again while queries are under way, which was a third of the CPU of a worker at 64 connections.
 */
const heapMebibytesBegin = 96;

/**
 * The runtime allocates the objects of a place in the code directly in the old generation when most of them survived
 * once. Those of a query die with it, but in the old generation they hold younger ones until the next full collection,
 * so that whole queries survive, more places are treated like that, and a third of the CPU of a worker is collection.
 */
const youngFirst = '--no-allocation-site-pretenuring';

/** Of standard error: the runtime says there why it ends. */
const lastWordsMax = 2_000;

export class WorkerProcess {
  readonly pid: number | undefined;
  readonly pipe: ChannelPipe;
  readonly #child: ChildProcess | undefined;
  #lastWords = '';

  constructor(options: WorkerProcessOptions) {
    let isEnded = false;
    const end = (how: string): void => {
      if (isEnded) return;
      isEnded = true;
      options.ended(how, this.#lastWords.trim());
    };
    const child = started(options, end);
    const socket = child?.stdio?.[channelDescriptor] as Socket | undefined;
    this.#child = child;
    this.pid = child?.pid;
    this.pipe = {
      write: (bytes) => socket === undefined || socket.destroyed || socket.write(bytes),
      close: () => socket?.destroy(),
    };
    child?.on('error', (error) => end(error.message));
    child?.on('close', (code, signal) => end(signal ?? `exit code ${code}`));
    child?.stderr?.on('data', (text: Buffer) => {
      this.#lastWords = `${this.#lastWords}${text.toString()}`.slice(-lastWordsMax);
    });
    socket?.on('data', options.received);
    socket?.on('drain', options.drained);
    // What ends the channel is seen as the end of the process.
    socket?.on('error', () => this.kill());
    socket?.on('close', () => this.kill());
  }

  /** At once: nothing that a query does keeps a process from it. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Memory of its own; 0 where the system does not say it. */
  ownBytes(): number {
    try {
      return ownBytesIn(readFileSync(`/proc/${this.pid}/statm`, 'utf8'));
    } catch {
      return 0;
    }
  }
}

/** Undefined when the system has no room for another process or descriptor; `failed` is called then. */
function started(
  { entry, args, heapMebibytesMax, listenDescriptor, descriptors }: WorkerProcessOptions,
  failed: (how: string) => void,
): ChildProcess | undefined {
  try {
    const heap = [
      youngFirst,
      `--max-old-space-size=${heapMebibytesMax}`,
      `--initial-old-space-size=${Math.min(heapMebibytesBegin, Math.floor(heapMebibytesMax / 3))}`,
    ];
    return spawn(process.execPath, [...heap, entry, ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', listenDescriptor, ...descriptors],
    });
  } catch (error) {
    queueMicrotask(() => failed((error as Error).message));
    return undefined;
  }
}
