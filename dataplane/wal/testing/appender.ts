import { writeSync } from 'node:fs';
import { argv } from 'node:process';
import { encodeUtf8 } from '../../common/bytes.ts';
import { RealDisk } from '../../disk/real-disk.ts';
import { openWal } from '../open-wal.ts';
import type { Wal } from '../wal.ts';
import { entry } from './log.ts';
import { machineClock } from '../../node/clock.ts';

/**
 * A process that appends until it is killed, and tells each acknowledged entry ("GROUP INDEX") on
 * standard output: `node appender.ts DIRECTORY GROUPS [RELEASE_EVERY]`; every so many entries the log is
 * released up to a hundred behind.
 */
const standardOutput = 1;
const lasts = new Map<number, number>();

/**
 * Writes all of it before anything else is done: `process.stdout` may keep some of it in this process. A
 * reader that is behind is waited for.
 */
function tell(text: string): void {
  let left = encodeUtf8(text);
  while (left.byteLength > 0) {
    try {
      left = left.subarray(writeSync(standardOutput, left));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

async function appendForEver(wal: Wal, group: number): Promise<never> {
  for (let index = (wal.recovery.lastIndex(group)?.index ?? 0) + 1; ; index += 1) {
    await wal.append([entry(index, group, 20 + ((index * 37) % 400))]);
    tell(`${group} ${index}\n`);
    lasts.set(group, index);
    if (index % releaseEvery === 0) {
      await wal.truncateFront(new Map([...lasts].map(([each, last]) => [each, last - 100])));
    }
  }
}

const [, , directory = '', groups = '0', every = '0'] = argv;
const releaseEvery = Number(every) || Number.POSITIVE_INFINITY;
const log = await openWal({
  disk: new RealDisk(),
  directory,
  segmentBytes: 65_536,
  clock: machineClock,
  random: () => Math.random(),
  replayFrom: () => 0,
  onRecord: () => undefined,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
await Promise.all(Array.from({ length: Number(groups) }, (_, at) => appendForEver(log, at + 1)));
