import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import { RealDisk } from '../disk/real-disk.ts';
import { openLog } from './testing/log.ts';

const program = fileURLToPath(new URL('testing/appender.ts', import.meta.url));
const groups = 5;
const rounds = 10;

/** Reads acknowledgements into the ledger, kills the process after `count` of them, reads the rest. */
async function appendAndKill(
  directory: string,
  ledger: Map<number, number>,
  count: number,
): Promise<void> {
  const child = spawn(execPath, [program, directory, `${groups}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [group = 0, index = 0] = line.split(' ').map(Number);
    ledger.set(group, index);
    seen += 1;
    if (seen === count) child.kill('SIGKILL');
  }
  const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  expect(signal, 'the process ended by itself').to.equal('SIGKILL');
}

describe('a log whose process is killed', () => {
  let directory: string;

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'photondb-wal-')), 'wal');
  });

  afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }));

  it('has every acknowledged entry, round after round', async () => {
    const prng = new Prng(11);
    const ledger = new Map<number, number>();
    for (let round = 1; round <= rounds; round += 1) {
      await appendAndKill(directory, ledger, 10 + prng.below(300));
      const lasts = new Map<number, number>();
      const { wal } = await openLog(new RealDisk(), {
        directory,
        segmentBytes: 65_536,
        onRecord: ({ group, index, payload }) => {
          expect(index).to.equal((lasts.get(group) ?? 0) + 1);
          expect(Buffer.from(payload).toString().startsWith(`${group}/${index}`)).to.equal(true);
          lasts.set(group, index);
        },
      });
      for (const [group, index] of ledger) {
        expect(lasts.get(group), `round ${round}, group ${group}`).to.be.within(index, index + 1);
      }
      await wal.close();
    }
    expect([...ledger.values()].reduce((sum, index) => sum + index, 0)).to.be.greaterThan(1_000);
  }).timeout(60_000);
});
