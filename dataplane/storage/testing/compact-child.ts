import { stdout } from 'node:process';
import { compactStore } from '../compaction.ts';
import { machineClock } from '../../node/clock.ts';

/** Compacts a store, for a test that kills it meanwhile. */
stdout.write('begun\n');
await compactStore({
  clock: machineClock,
  directory: process.env['PHOTONDB_TEST_DIRECTORY'] ?? '',
  freeBytes: 1e9,
  reserveBytes: 0,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
