import { openSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { isDescriptorShortage } from '../descriptor-reserve.ts';
import { RealDisk } from '../real-disk.ts';

/**
 * A process for tests: takes every descriptor that its limit allows, then uses a disk as the log does,
 * round after round. Arguments: the directory, descriptors in reserve. Prints `fine`, or the code.
 */
const rounds = 20;
const [directory = '', reserved = '0'] = argv.slice(2);
const disk = new RealDisk(Number(reserved));
try {
  for (;;) openSync('/dev/null', 'r');
} catch (error) {
  if (!isDescriptorShortage(error)) throw error;
}
try {
  for (let round = 0; round < rounds; round += 1) {
    const path = `${directory}/${round}`;
    const file = await disk.open(path, 'create');
    await file.writeDurably(0, Buffer.from('content'));
    await file.close();
    await disk.syncDirectory(directory);
    const again = await disk.open(path, 'read');
    if ((await again.size()) !== 7) throw new Error('the file is not whole');
    await again.close();
    if ((await disk.list(directory)).length !== round + 1) throw new Error('a name is missing');
  }
  stdout.write('fine\n');
} catch (error) {
  stdout.write(`${(error as NodeJS.ErrnoException).code}\n`);
}
