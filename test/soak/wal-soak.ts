import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { MemoryDisk } from '../../dataplane/disk/memory-disk.ts';
import { KilledProcess } from '../../dataplane/wal/testing/killed-process.ts';
import { directory, entry, openLog, segmentsOf } from '../../dataplane/wal/testing/log.ts';
import { powerCut } from '../../dataplane/wal/testing/power-cut.ts';
import { judgeAll, walSuite } from './mutants.ts';
import type { Part, Soak } from './part.ts';

const kills: Part = async ({ rounds, progress }) => {
  const parent = await mkdtemp(join(tmpdir(), 'photondb-soak-'));
  const prng = new Prng(Date.now());
  const options = { directory: join(parent, 'wal'), groups: 8, releaseEvery: 150 };
  const killed = new KilledProcess(options);
  try {
    for (let round = 1; round <= rounds; round += 1) {
      await killed.runAndKill(1 + prng.below(1_000));
      await killed.check(`round ${round}`);
      if (round % 50 === 0) progress(`kills: ${round} of ${rounds}`);
    }
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
  const entries = [...killed.ledger.values()].reduce((sum, index) => sum + index, 0);
  return `${rounds} processes killed, ${entries} acknowledged entries, none lost`;
};

/** Every byte of every finished segment, each with a bit that changes from byte to byte. */
const flips: Part = async ({ progress }) => {
  const disk = new MemoryDisk();
  const { wal } = await openLog(disk);
  for (let index = 1; index <= 600; index += 1) {
    await wal.append([entry(index, 1), entry(index, 2)]);
    if (index === 300) await wal.truncateFront(new Map([1, 2].map((group) => [group, 250])));
    if (index === 400) await wal.truncate(2, 401);
  }
  await wal.close();
  let count = 0;
  const names = (await segmentsOf(disk)).slice(0, -1);
  for (const name of names) {
    const bytes = disk.bytesOf(`${directory}/${name}`);
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const byte = bytes[at] ?? 0;
      bytes[at] = byte ^ (1 << (count % 8));
      const outcome = await openLog(disk).catch((error: { code: string }) => error.code);
      expect(outcome, `${name}, byte ${at}`).to.equal('wal.corrupt');
      bytes[at] = byte;
      count += 1;
    }
    progress(`flips: ${count} bytes`);
  }
  return `${count} bytes of ${names.length} finished segments flipped, each called damage`;
};

const powerCuts: Part = async ({ seeds, progress }) => {
  let [cuts, again] = [0, 0];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const prng = new Prng(seed);
    const cut = await powerCut(seed, 1 + prng.below(400));
    if (seed % 1_000 === 0) progress(`power cuts: ${seed} of ${seeds} seeds`);
    if (cut === undefined) continue;
    cuts += 1;
    const [workload, disk] = cut;
    const crashed: MemoryDisk[] = [];
    disk.failBy(() => void crashed.push(disk.crash(() => prng.next() < 0.5)));
    const found = await openLog(disk);
    workload.check(found, `seed ${seed}`);
    await found.wal.close();
    const second = crashed.at(prng.below(crashed.length));
    if (second === undefined) continue;
    again += 1;
    const recovered = await openLog(second);
    workload.check(recovered, `seed ${seed}, cut again during recovery`);
    await recovered.wal.close();
  }
  return `${seeds} seeds, ${cuts} power cuts, ${again} more during recovery, nothing lost`;
};

const mutants: Part = async ({ progress }) =>
  `${await judgeAll(walSuite, progress)} mutants, all found`;

export const walSoak: Soak = { mutants, flips, powerCuts, kills };
