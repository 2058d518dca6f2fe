import { open as openFile, close, fdatasync, write } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RealDisk } from '../../dataplane/disk/real-disk.ts';
import { openWal } from '../../dataplane/wal/open-wal.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import type { Wal } from '../../dataplane/wal/wal.ts';
import { rateOf } from './measure.ts';
import type { Benchmark } from './measure.ts';

/** One write and one sync after the other, with nothing around them: what the disk can do. */
const [openRaw, writeRaw, syncRaw, closeRaw] = [
  promisify(openFile),
  promisify(write),
  promisify(fdatasync),
  promisify(close),
];

const payloadBytes = 512;
const roundMs = 1_500;
const rawBytes = 16 * 1_048_576;

async function preallocated(directory: string): Promise<number> {
  const file = await openRaw(join(directory, 'raw'), 'w');
  await writeRaw(file, new Uint8Array(rawBytes), 0, rawBytes, 0);
  await syncRaw(file);
  return file;
}

const openLog = (directory: string): Promise<Wal> =>
  openWal({
    disk: new RealDisk(),
    directory,
    clock: machineClock,
    random: () => Math.random(),
    replayFrom: () => 0,
    onRecord: () => undefined,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });

/** Durable appends a second of so many writers, each of which waits for its own. */
async function appendRate(wal: Wal, lasts: Map<number, number>, writers: number): Promise<number> {
  const payload = new Uint8Array(payloadBytes).fill(1);
  const rates = Array.from({ length: writers }, (_, group) =>
    rateOf(roundMs, async () => {
      const index = (lasts.get(group) ?? 0) + 1;
      lasts.set(group, index);
      await wal.append([{ group, term: 1, index, kind: 1, payload }]);
    }),
  );
  const sum = (await Promise.all(rates)).reduce((total, rate) => total + rate, 0);
  await wal.release(lasts);
  return sum;
}

export const benchmark: Benchmark = {
  about: `Durable appends of ${payloadBytes} bytes to the write-ahead log, beside a bare loop of pwrite and fdatasync into a preallocated file on the same disk.`,

  async run(compare) {
    const directory = await mkdtemp(join(tmpdir(), 'photondb-bench-'));
    const wal = await openLog(join(directory, 'wal'));
    const file = await preallocated(directory);
    const lasts = new Map<number, number>();
    const bytes = new Uint8Array(payloadBytes).fill(1);
    try {
      await compare({
        about: 'appends',
        unit: '/s',
        subjects: [
          {
            name: 'bare pwrite + fdatasync',
            run: () =>
              rateOf(roundMs, async (count) => {
                await writeRaw(file, bytes, 0, payloadBytes, (count * payloadBytes) % rawBytes);
                await syncRaw(file);
              }),
          },
          { name: 'log, 1 writer', run: () => appendRate(wal, lasts, 1) },
          { name: 'log, 64 writers', run: () => appendRate(wal, lasts, 64) },
        ],
      });
    } finally {
      await closeRaw(file);
      await wal.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
};
