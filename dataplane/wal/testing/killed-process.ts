import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { RealDisk } from '../../disk/real-disk.ts';
import { openLog } from './log.ts';

const program = fileURLToPath(new URL('appender.ts', import.meta.url));
const segmentBytes = 65_536;

export interface KillOptions {
  readonly directory: string;
  readonly groups: number;
  /** Entries after which the process releases what is far behind; 0 for never. */
  readonly releaseEvery: number;
}

/** A process that appends to a log until it is killed, and what it said was durable. */
export class KilledProcess {
  /** By group: the last entry that was acknowledged. Kept outside of the process that is killed. */
  readonly ledger = new Map<number, number>();
  readonly #options: KillOptions;

  constructor(options: KillOptions) {
    this.#options = options;
  }

  /** Reads acknowledgements into the ledger, kills the process after `count` of them, reads the rest. */
  async runAndKill(count: number): Promise<void> {
    const { directory, groups, releaseEvery } = this.#options;
    const child = spawn(
      execPath,
      ['--disable-warning=ExperimentalWarning', program, directory, `${groups}`, `${releaseEvery}`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = once(child, 'close');
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const [group = 0, index = 0] = line.split(' ').map(Number);
      this.ledger.set(group, index);
      seen += 1;
      if (seen === count) child.kill('SIGKILL');
    }
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    expect(signal, 'the process exited on its own').to.equal('SIGKILL');
  }

  /** Opens the log: everything acknowledged is there, each entry with its own content, none missing. */
  async check(about: string): Promise<void> {
    const lasts = new Map<number, number>();
    const { wal } = await openLog(new RealDisk(), {
      directory: this.#options.directory,
      segmentBytes,
      onRecord: ({ group, index, payload }) => {
        const before = lasts.get(group);
        if (before !== undefined || this.#options.releaseEvery === 0) {
          expect(index, about).to.equal((before ?? 0) + 1);
        }
        expect(Buffer.from(payload).toString().startsWith(`${group}/${index}`)).to.equal(true);
        lasts.set(group, index);
      },
    });
    for (const [group, index] of this.ledger) {
      expect(lasts.get(group), `${about}, group ${group}`).to.be.within(index, index + 1);
    }
    // What recovery handed out must stay, although it was not acknowledged when it was written.
    for (const [group, last] of lasts) this.ledger.set(group, last);
    await wal.close();
  }
}
