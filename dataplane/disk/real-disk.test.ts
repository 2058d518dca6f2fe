import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDisk } from './disk.compliance.ts';
import { RealDisk } from './real-disk.ts';

describeDisk('the disk of the machine', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'photondb-disk-'));
  return {
    disk: new RealDisk(),
    directory,
    cleanUp: () => rm(directory, { recursive: true, force: true }),
  };
});
