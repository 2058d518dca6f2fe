import { cpSync, mkdtempSync, openSync, readSync, rmSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { LmdbStore } from '../../dataplane/storage/lmdb-store.ts';
import { answersOf, openOver } from './flip-database.ts';
import type { Flip, FlipRequest, Outcome } from './flipped-store.ts';
import { machineClock } from '../../dataplane/node/clock.ts';

/** The process that meets the damage: one request, one outcome, or its end. */
const [, , scratch = ''] = argv;

function flipBit(file: string, { offset, bit }: Flip): void {
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, offset);
  byte.writeUInt8(byte.readUInt8() ^ (1 << bit));
  writeSync(descriptor, byte, 0, 1, offset);
  closeSync(descriptor);
}

async function outcomeOf(directory: string, answers: string): Promise<Outcome> {
  try {
    const database = await openOver(
      new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 28 }),
    );
    const findings = await database.scrub();
    if (findings.length > 0) return 'found';
    return (await answersOf(database)) === answers ? 'harmless' : 'silent';
  } catch {
    return 'refused';
  }
}

process.on('message', (request: FlipRequest) => {
  const directory = mkdtempSync(join(scratch, 'copy-'));
  cpSync(join(request.base, 'data.mdb'), join(directory, 'data.mdb'));
  flipBit(join(directory, 'data.mdb'), request);
  void outcomeOf(directory, request.answers).then((outcome) => {
    rmSync(directory, { recursive: true, force: true });
    // Not closed: what would be written then is no answer. A process for each keeps them apart.
    process.send?.(outcome);
  });
});
