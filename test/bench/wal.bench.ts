import { execFile } from 'node:child_process';
import {
  open as openFile,
  close,
  fdatasync,
  readFileSync,
  readSync,
  openSync,
  closeSync,
} from 'node:fs';
import { readdirSync, write } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { argv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import type { Wal } from '../../dataplane/wal/wal.ts';
import { runLimited } from './limited.ts';
import { rateOf } from './measure.ts';
import type { Benchmark, Comparison } from './measure.ts';

/** One write and one sync after the other, with nothing around them: what the disk can do. */
const [openRaw, writeRaw, syncRaw, closeRaw] = [
  promisify(openFile),
  promisify(write),
  promisify(fdatasync),
  promisify(close),
];
const run = promisify(execFile);

const mebibyte = 1_048_576;
const payloadBytes = 512;
const roundMs = 500;
const rawBytes = 16 * mebibyte;
const { signal } = new AbortController();

async function preallocated(directory: string): Promise<number> {
  const file = await openRaw(join(directory, 'raw'), 'w');
  await writeRaw(file, new Uint8Array(rawBytes), 0, rawBytes, 0);
  await syncRaw(file);
  return file;
}

const openLog = (directory: string, onProgress = (): void => undefined): Promise<Wal> =>
  openWal({
    disk: new RealDisk(),
    directory,
    clock: machineClock,
    random: () => Math.random(),
    replayFrom: () => 0,
    onRecord: () => undefined,
    onProgress,
    signal,
  });

/** Appends to one log; what is durable is released now and then, as a node does. */
class Writers {
  readonly #wal: Wal;
  readonly #lasts = new Map<number, number>();

  constructor(wal: Wal) {
    this.#wal = wal;
  }

  append(group: number, payload: Uint8Array, count = 1): Promise<void> {
    const last = this.#lasts.get(group) ?? 0;
    this.#lasts.set(group, last + count);
    const records = Array.from({ length: count }, (_, at) => ({
      group,
      term: 1,
      index: last + 1 + at,
      kind: 1,
      payload,
    }));
    return this.#wal.append(records);
  }

  truncateFront(): Promise<void> {
    return this.#wal.truncateFront(new Map(this.#lasts));
  }

  /** Durable appends a second of so many writers, each of which waits for its own. */
  async rate(writers: number): Promise<number> {
    const payload = new Uint8Array(payloadBytes).fill(1);
    const rates = Array.from({ length: writers }, (_, group) =>
      rateOf(roundMs, () => this.append(group, payload)),
    );
    const sum = (await Promise.all(rates)).reduce((total, rate) => total + rate, 0);
    await this.truncateFront();
    return sum;
  }

  /** Appends as fast as the log takes them, released behind; MiB a second until all is durable. */
  async stream(bytes: number, payload: Uint8Array): Promise<number> {
    const started = performance.now();
    const waiting: Promise<void>[] = [];
    const count = bytes / payload.byteLength;
    for (let at = 1; at <= count; at += 1) {
      if (this.#wal.full) await this.#wal.room(signal);
      waiting.push(this.append(0, payload));
      if (at % 256 === 0) {
        // What is durable by then: the queue holds 64 MiB at most.
        const durable = (this.#lasts.get(0) ?? 0) - 1_280;
        await this.#wal.truncateFront(new Map([...this.#lasts, [0, durable]]));
      }
    }
    await Promise.all(waiting);
    const seconds = (performance.now() - started) / 1_000;
    await this.truncateFront();
    return bytes / mebibyte / seconds;
  }
}

/** The longest time that nothing else could run in this process meanwhile, in ms. */
async function longestBlock(task: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await task();
  delay.disable();
  return delay.max / 1e6;
}

const loopOf = (file: number): (() => Promise<number>) => {
  const bytes = new Uint8Array(payloadBytes).fill(1);
  return () =>
    rateOf(roundMs, async (count) => {
      await writeRaw(file, bytes, 0, payloadBytes, (count * payloadBytes) % rawBytes);
      await syncRaw(file);
    });
};

async function longestSync(file: number): Promise<number> {
  const bytes = new Uint8Array(payloadBytes).fill(2);
  let longest = 0;
  await rateOf(roundMs, async (count) => {
    await writeRaw(file, bytes, 0, payloadBytes, (count * payloadBytes) % rawBytes);
    const started = performance.now();
    await syncRaw(file);
    longest = Math.max(longest, performance.now() - started);
  });
  return longest;
}

const streamBytes = 256 * mebibyte;

async function ddRate(directory: string): Promise<number> {
  const to = join(directory, 'dd');
  const blocks = streamBytes / 65_536;
  const started = performance.now();
  await run('dd', ['if=/dev/zero', `of=${to}`, 'bs=64k', `count=${blocks}`, 'conv=fdatasync']);
  const seconds = (performance.now() - started) / 1_000;
  await rm(to);
  return streamBytes / mebibyte / seconds;
}

function appendComparisons(directory: string, file: number, writers: Writers): Comparison[] {
  const large = new Uint8Array(65_536).fill(1);
  return [
    {
      about: `durable appends of ${payloadBytes} bytes`,
      unit: '/s',
      subjects: [
        { name: 'bare pwrite + fdatasync', run: loopOf(file) },
        { name: 'log, 1 writer', run: () => writers.rate(1) },
        { name: 'log, 64 writers', run: () => writers.rate(64) },
      ],
    },
    {
      about: 'the longest time without the event loop (less is better), beside the longest sync',
      unit: 'ms',
      subjects: [
        { name: 'bare loop, longest sync', run: () => longestSync(file) },
        { name: 'log, 1 writer', run: () => longestBlock(() => writers.rate(1)) },
        { name: 'log, 64 writers', run: () => longestBlock(() => writers.rate(64)) },
      ],
    },
    {
      about: 'sequential appends of 64 KiB, 256 MiB in all',
      unit: 'MiB/s',
      subjects: [
        { name: 'dd bs=64k conv=fdatasync', run: () => ddRate(directory) },
        { name: 'log, one sync a batch', run: () => writers.stream(streamBytes, large) },
      ],
    },
  ];
}

const replayedBytes = 1_024 * mebibyte;

async function writeReplayed(directory: string): Promise<void> {
  const wal = await openLog(directory);
  const writers = new Writers(wal);
  const payload = new Uint8Array(payloadBytes).fill(1);
  for (let group = 0; wal.metrics().bytes < replayedBytes; group = (group + 1) % 16) {
    await writers.append(group, payload, 1_000);
  }
  await wal.close();
}

/** Reading and checking the bytes, and nothing else. */
function bareReadRate(directory: string): number {
  const started = performance.now();
  const bytes = Buffer.allocUnsafe(16 * mebibyte);
  let read = 0;
  for (const name of readdirSync(directory)) {
    const file = openSync(join(directory, name), 'r');
    const count = readSync(file, bytes, 0, bytes.byteLength, 0);
    crc32(bytes.subarray(0, count));
    read += count;
    closeSync(file);
  }
  return read / mebibyte / ((performance.now() - started) / 1_000);
}

interface Replay {
  readonly seconds: number;
  readonly bytes: number;
  readonly rssAnonMiB: number;
}

/** In a process of its own: what it needs in memory is its own too. */
async function replayInProcess(directory: string): Promise<Replay> {
  const { stdout } = await run(execPath, replayArguments(directory));
  return JSON.parse(stdout) as Replay;
}

const replayArguments = (directory: string): string[] => [
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(import.meta.url),
  directory,
];

/** Of the whole process: its program, its heap, and the pages of the log that it reads. */
const limitBytes = 128 * mebibyte;

/** The same where the kernel kills whatever uses more; only where control groups can be made. */
async function limitedComparisons(directory: string): Promise<Comparison[]> {
  const replayLimited = (): ReturnType<typeof runLimited> =>
    runLimited([execPath, ...replayArguments(directory)], limitBytes);
  if ((await replayLimited()) === undefined) {
    console.error('no control group can be made here: no recovery under a limit of memory');
    return [];
  }
  return [
    {
      about: `recovery of 1 GiB in a control group of ${limitBytes / mebibyte} MiB, page cache included`,
      unit: 'MiB/s',
      subjects: [
        {
          name: 'log opened, all handed out',
          run: async () => {
            const { bytes, seconds } = JSON.parse(
              (await replayLimited())?.stdout ?? '{}',
            ) as Replay;
            return bytes / mebibyte / seconds;
          },
        },
      ],
    },
  ];
}

async function replay(directory: string): Promise<Replay> {
  let rssAnonMiB = 0;
  const look = (): void => {
    const status = readFileSync('/proc/self/status', 'utf8');
    rssAnonMiB = Math.max(rssAnonMiB, Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1_024);
  };
  const started = performance.now();
  const wal = await openLog(directory, look);
  const seconds = (performance.now() - started) / 1_000;
  look();
  const { bytes } = wal.recovery;
  await wal.close();
  return { seconds, bytes, rssAnonMiB };
}

function replayComparisons(directory: string): Comparison[] {
  return [
    {
      about: `recovery of 1 GiB in records of ${payloadBytes} bytes, from the page cache`,
      unit: 'MiB/s',
      subjects: [
        { name: 'bare read + CRC-32', run: async () => bareReadRate(directory) },
        {
          name: 'log opened, all handed out',
          run: async () => {
            const { bytes, seconds } = await replayInProcess(directory);
            return bytes / mebibyte / seconds;
          },
        },
      ],
    },
    {
      about: 'most RssAnon of the process meanwhile (less is better)',
      unit: 'MiB',
      subjects: [
        {
          name: 'log opened',
          run: async () => (await replayInProcess(directory)).rssAnonMiB,
        },
      ],
    },
  ];
}

export const benchmark: Benchmark = {
  about:
    'The write-ahead log beside bare calls into a preallocated file and beside dd, on the same disk.',

  async run(compare) {
    const directory = await mkdtemp(join(tmpdir(), 'photondb-bench-'));
    const wal = await openLog(join(directory, 'wal'));
    const file = await preallocated(directory);
    try {
      for (const comparison of appendComparisons(directory, file, new Writers(wal))) {
        await compare(comparison);
      }
      const replayed = join(directory, 'replayed');
      await writeReplayed(replayed);
      const limited = await limitedComparisons(replayed);
      for (const each of [...replayComparisons(replayed), ...limited]) await compare(each);
    } finally {
      await closeRaw(file);
      await wal.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

if (import.meta.main) console.log(JSON.stringify(await replay(argv[2] ?? '')));
