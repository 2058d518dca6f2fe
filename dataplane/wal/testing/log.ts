import { setImmediate as turn } from 'node:timers/promises';
import { encodeUtf8 } from '../../common/bytes.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import type { Disk } from '../../disk/disk.ts';
import { openWal } from '../open-wal.ts';
import type { WalRecord } from '../record.ts';
import type { Wal, WalOptions } from '../wal.ts';
import { ManualClock } from './manual-clock.ts';

/** Small logs in memory, for tests. */
export const directory = '/data/wal';
export const segmentBytes = 16_384;

export interface OpenedLog {
  readonly wal: Wal;
  readonly records: WalRecord[];
  readonly clock: ManualClock;
}

export async function openLog(disk: Disk, options: Partial<WalOptions> = {}): Promise<OpenedLog> {
  const records: WalRecord[] = [];
  const clock = new ManualClock();
  const wal = await openWal({
    disk,
    directory,
    segmentBytes,
    clock,
    random: () => 0.25,
    replayFrom: () => 0,
    onRecord: (record) => void records.push({ ...record, payload: new Uint8Array(record.payload) }),
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
  return { wal, records, clock };
}

export const entry = (index: number, group = 1, size = 100): WalRecord => ({
  group,
  term: 1,
  index,
  kind: 1,
  payload: encodeUtf8(`${group}/${index}`.padEnd(size, '.')),
});

export const indexesOf = (records: readonly WalRecord[]): string[] =>
  records.map((record) => `${record.group}/${record.index}`);

export interface Failure {
  readonly code?: string;
  readonly message: string;
}

export async function failureOf(action: Promise<unknown>): Promise<Failure> {
  try {
    await action;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('expected a rejection');
}

/** A log with `count` acknowledged entries of two groups over several segments, closed. */
export async function writtenLog(count: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { wal } = await openLog(disk);
  for (let index = 1; index <= count; index += 1) {
    await wal.append([entry(index, 1), entry(index, 2)]);
  }
  await wal.close();
  return disk;
}

/** Names of the segments, without room that is kept for later ones. */
export async function segmentsOf(disk: Disk): Promise<readonly string[]> {
  return (await disk.list(directory)).filter((name) => name.endsWith('.wal'));
}

export async function segmentPath(disk: Disk, place = 0): Promise<string> {
  return `${directory}/${(await segmentsOf(disk))[place]}`;
}

/** Lets everything run that needs no time to pass. */
export async function settled(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await turn();
}
