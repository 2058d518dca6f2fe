import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { LmdbStore } from '../storage/lmdb-store.ts';
import { compactAtStart } from './compact-at-start.ts';
import { machineClock } from './clock.ts';

describe('compaction at the start', () => {
  let root: string;
  let directory: string;
  let said: string[];

  /** A file of which most is free. */
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'photondb-start-'));
    directory = join(root, 'store');
    said = [];
    const store = new LmdbStore({ clock: machineClock, directory });
    const large = encodeUtf8('large');
    await store.write((transaction) => {
      transaction.put('data', large, new Uint8Array(4_000_000));
      transaction.put('data', encodeUtf8('small'), encodeUtf8('small'));
    });
    await store.write((transaction) => transaction.remove('data', large));
    await store.close();
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** Bytes of the data file after a start. */
  async function start(percent: number, freeBytes = 1e9): Promise<number> {
    const say = (message: string): void => void said.push(message);
    await compactAtStart({
      clock: machineClock,
      directory,
      percent,
      usage: () => ({ freeBytes, totalBytes: 2e9 }),
      logger: { debug: say, info: say, warn: say, error: say },
      onProgress: () => undefined,
      signal: new AbortController().signal,
    });
    const store = new LmdbStore({ clock: machineClock, directory });
    const { fileBytes } = store.statistics();
    expect(store.read((view) => view.get('data', encodeUtf8('small')))).not.to.equal(undefined);
    await store.close();
    return fileBytes;
  }

  it('is done only when it is asked for and enough of the file is free', async () => {
    expect(await start(0)).to.be.above(4_000_000);
    expect(await start(100)).to.be.above(4_000_000);
    expect(said).to.deep.equal([]);
    expect(await start(50)).to.be.below(200_000);
    expect(said.at(-1)).to.equal('the data file was compacted');
  });

  it('keeps nobody from being served when the disk has no room for it', async () => {
    expect(await start(50, 1_000)).to.be.above(4_000_000);
    expect(said.at(-1)).to.equal('the data file was not compacted');
  });

  it('is left out once after a compaction that did not end', async () => {
    mkdirSync(`${directory}-copy`);
    expect(await start(50)).to.be.above(4_000_000);
    expect(said).to.deep.equal([
      'the compaction at the last start did not finish: this start skips it',
    ]);
    expect(await start(50)).to.be.below(200_000);
  });

  it('has nothing to do in an empty directory', async () => {
    rmSync(directory, { recursive: true });
    directory = join(root, 'new');
    const store = new LmdbStore({ clock: machineClock, directory });
    await store.write((transaction) => {
      transaction.put('data', encodeUtf8('small'), encodeUtf8('small'));
    });
    await store.close();
    expect(await start(90)).to.be.below(200_000);
    expect(said).to.deep.equal([]);
  });
});
