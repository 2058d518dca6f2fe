import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeUtf8, toHex } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import { databaseNames } from '../kv/store.ts';
import { failureOf } from '../wal/testing/log.ts';
import { compactStore } from './compaction.ts';
import type { CompactionOptions, CompactionProgress } from './compaction.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';

const childProgram = fileURLToPath(new URL('testing/compact-child.ts', import.meta.url));

/** A store whose file is mostly free room. */
async function fill(directory: string, documents: number): Promise<void> {
  const store = new LmdbStore({ clock: machineClock, directory });
  const name = (n: number): Uint8Array => encodeUtf8(`k${n}`);
  for (let from = 0; from < documents; from += 1_000) {
    await store.write((transaction) => {
      for (let n = from; n < from + 1_000; n += 1) {
        transaction.put('data', name(n), new Uint8Array(n % 500).fill(n));
        transaction.put('index', name(n), name(n));
      }
      transaction.put('meta', encodeUtf8('n'), name(from));
    });
  }
  await store.write((transaction) => {
    for (let n = 0; n < documents; n += 1) if (n % 4 > 0) transaction.remove('data', name(n));
    transaction.put('data', encodeUtf8('large'), new Uint8Array(3_000_000).fill(7));
  });
  await store.close();
}

async function contentOf(directory: string): Promise<string[]> {
  const store = new LmdbStore({ clock: machineClock, directory });
  const content = store.read((view) =>
    databaseNames.flatMap((name) =>
      [...view.entries(name, {})].map(({ key, value }) => `${name} ${toHex(key)} ${toHex(value)}`),
    ),
  );
  await store.close();
  return content;
}

describe('the compaction of a store', () => {
  const root = mkdtempSync(join(tmpdir(), 'photondb-compaction-'));
  const filled = join(root, 'filled');
  let directory: string;
  let count = 0;

  const options = (changes: Partial<CompactionOptions> = {}): CompactionOptions => ({
    clock: machineClock,
    directory,
    freeBytes: 1e9,
    reserveBytes: 1e6,
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  });

  before(() => fill(join(filled, 'store'), 8_000));

  beforeEach(() => {
    const home = join(root, String((count += 1)));
    cpSync(filled, home, { recursive: true });
    directory = join(home, 'store');
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  it('gives the free room back, and changes nothing else', async () => {
    const content = await contentOf(directory);
    const steps: CompactionProgress[] = [];
    const result = await compactStore(options({ onProgress: (step) => void steps.push(step) }));
    expect(result.bytesAfter).to.be.below(result.bytesBefore * 0.9);
    expect(steps.at(-1)?.step).to.equal('comparing');
    const store = new LmdbStore({ clock: machineClock, directory });
    const { fileBytes, freeBytes } = store.statistics();
    expect(fileBytes).to.equal(result.bytesAfter);
    expect(freeBytes).to.be.below(100_000);
    await store.close();
    expect(await contentOf(directory)).to.deep.equal(content);
    expect(readdirSync(join(directory, '..'))).to.deep.equal(['store']);
    expect(readdirSync(directory)).to.have.members(['data.mdb', 'lock.mdb']);
  });

  it('leaves a store that goes on: it writes, closes, opens and is compacted again', async () => {
    await compactStore(options());
    for (let round = 0; round < 3; round += 1) {
      const store = new LmdbStore({ clock: machineClock, directory });
      await store.write((transaction) => {
        transaction.put('data', encodeUtf8('round'), new Uint8Array([round]));
      });
      await store.close();
      await compactStore(options());
    }
    expect((await contentOf(directory)).includes('data 726f756e64 02')).to.equal(true);
  });

  it('refuses when the disk has no room for a second file, and says how much is missing', async () => {
    const failure = await failureOf(compactStore(options({ freeBytes: 2e6 })));
    expect(failure).to.include({ code: 'storage.no_room' });
    expect(failure.message).to.match(/free \d+ more bytes/);
    expect((await contentOf(directory)).length).to.be.above(8_000);
  });

  it('leaves everything as it was when it is aborted', async () => {
    const content = await contentOf(directory);
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(new Error('stop'));
    const failure = await failureOf(compactStore(options({ onProgress, signal: stop.signal })));
    expect(failure.message).to.equal('stop');
    expect(existsSync(`${directory}-copy`)).to.equal(false);
    expect(await contentOf(directory)).to.deep.equal(content);
  });

  it('leaves the old file or the new one, whole, wherever its process is killed', async () => {
    const content = await contentOf(directory);
    const prng = new Prng(7);
    const sizes = new Set<number>();
    for (let round = 0; round < 10; round += 1) {
      rmSync(directory, { recursive: true });
      cpSync(join(filled, 'store'), directory, { recursive: true });
      const child = spawn(execPath, ['--disable-warning=ExperimentalWarning', childProgram], {
        argv0: 'node',
        env: { ...process.env, PHOTONDB_TEST_DIRECTORY: directory },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      const ended = once(child, 'exit');
      const timer = setTimeout(() => child.kill('SIGKILL'), prng.below(220));
      await ended;
      clearTimeout(timer);
      expect(await contentOf(directory), `round ${round}`).to.deep.equal(content);
      expect(existsSync(`${directory}-copy`)).to.equal(false);
      const store = new LmdbStore({ clock: machineClock, directory });
      sizes.add(store.statistics().fileBytes);

      await store.close();
    }

    expect(sizes.size).to.be.within(1, 2);
  });
});
