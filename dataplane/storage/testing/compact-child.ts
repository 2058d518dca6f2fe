import { stdout } from 'node:process';
import { compactStore } from '../compaction.ts';

/** Compacts a store, for a test that kills it meanwhile. */
stdout.write('begun\n');
await compactStore({
  directory: process.env['PHOTONDB_TEST_DIRECTORY'] ?? '',
  freeBytes: 1e9,
  reserveBytes: 0,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
