import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { failureOf } from '../wal/testing/log.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';

const pageBytes = 4_096;
const metaPages = 2;
/** Where the commit stands in a page that names the roots, and what the commit says of its tree. */
const inMeta = { flags: 52, rootOfFreePages: 88, rootOfNames: 136, lastPage: 144, commit: 152 };
const notSynced = 0x10_00;

describe('the pages that name the roots', () => {
  const root = mkdtempSync(join(tmpdir(), 'photondb-roots-'));
  let count = 0;
  let directory: string;

  beforeEach(() => {
    directory = join(root, String((count += 1)));
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  const open = (): LmdbStore =>
    new LmdbStore({ clock: machineClock, directory, mapBytes: 1 << 26 });

  async function write(commits: number): Promise<void> {
    const store = open();
    for (let n = 0; n < commits; n += 1) {
      await store.write((transaction) => {
        for (let k = 0; k < 50; k += 1) {
          transaction.put('data', encodeUtf8(`k${n}/${k}`), new Uint8Array(200).fill(n));
        }
      });
    }
    await store.close();
  }

  function changeFile(edit: (bytes: Buffer) => void): void {
    const file = join(directory, 'data.mdb');
    const bytes = readFileSync(file);
    edit(bytes);
    writeFileSync(file, bytes);
  }

  /** Changes the newest of the two pages. */
  const change = (edit: (page: Buffer) => void): void =>
    changeFile((bytes) => {
      const pages = Array.from({ length: metaPages }, (_, n) =>
        bytes.subarray(n * pageBytes, (n + 1) * pageBytes),
      );
      const commitOf = (page: Buffer): bigint => page.readBigUInt64LE(inMeta.commit);
      const [newest] = pages.sort((a, b) => Number(commitOf(b) - commitOf(a)));
      if (newest !== undefined) edit(newest);
    });

  async function opened(): Promise<void> {
    await open().close();
  }

  const refusal = (): ReturnType<typeof failureOf> => failureOf(opened());

  it('are believed when nothing happened to them, after no commit, one and many', async () => {
    for (const commits of [0, 1, 2, 1, 7]) {
      await write(commits);
      await opened();
    }
  });

  for (const at of ['rootOfFreePages', 'rootOfNames'] as const) {
    it(`are refused when a bit of the ${at} is not as it was written`, async () => {
      await write(20);
      // The lower bits name pages that the file has: of other trees, and of long ago.
      for (let bit = 0; bit < 7; bit += 1) {
        const flip = (page: Buffer): void => {
          page.writeBigUInt64LE(page.readBigUInt64LE(inMeta[at]) ^ (1n << BigInt(bit)), inMeta[at]);
        };
        change(flip);
        expect(await refusal(), `bit ${bit}`)
          .to.include({ code: 'storage.corrupt' })
          .and.to.have.property('message')
          .that.matches(/page \d+.* Restore the data directory/);
        change(flip);
      }
      await opened();
    });
  }

  it('are refused when they name a page that the file does not have', async () => {
    await write(20);
    for (const bit of [20, 40, 62, 63]) {
      change((page) => page.writeBigUInt64LE(1n << BigInt(bit), inMeta.rootOfNames));
      expect((await refusal()).message, `bit ${bit}`).to.match(/the file ends before page \d+/);
    }
  });

  it('are refused when the file ends before pages that it has had', async () => {
    await write(20);
    change((page) => page.writeBigUInt64LE(5n, inMeta.lastPage));
    expect(await refusal()).to.include({ code: 'storage.corrupt' });
  });

  it('are refused when they name a commit before one that was synced', async () => {
    await write(20);
    // That a commit was not synced yet is a flag: LMDB goes back to the one before, for good.
    const flags = pageBytes / 2 + inMeta.flags;
    changeFile((bytes) => bytes.writeUInt16LE(bytes.readUInt16LE(flags) ^ notSynced, flags));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect((await refusal()).message).to.match(/commit \d+ was synced, and \d+ is the last one/);
    }
  });

  it('are refused when the commit that was synced has lost its number', async () => {
    await write(20);
    changeFile((bytes) => bytes.writeBigUInt64LE(0n, pageBytes / 2 + inMeta.commit));
    expect((await refusal()).message).to.contain('the last commit that was synced has no number');
  });

  it('are refused when they are not there, or are no such pages', async () => {
    await write(3);
    const edits: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.fill(0xa5, 0, pageBytes),
      (bytes) => bytes.fill(0xa5, pageBytes, 2 * pageBytes),
      (bytes) => bytes.fill(0, 0, 2 * pageBytes),
      (bytes) => bytes.fill(0xa5),
    ];
    const file = join(directory, 'data.mdb');
    const whole = readFileSync(file);
    for (const edit of edits) {
      writeFileSync(file, whole);
      changeFile(edit);
      expect((await refusal()).message).to.match(/there is no such page at byte \d/);
    }
    for (const size of [24, 100, pageBytes, pageBytes + 1]) {
      writeFileSync(file, whole.subarray(0, size));
      expect((await refusal()).message, `${size}`).to.match(/there is no such page at byte \d/);
    }
    writeFileSync(file, whole);
    await opened();
  });

  it('are made when the power went before anything of the file was on the medium', async () => {
    await write(3);
    for (const size of [0, 1, pageBytes, 3 * pageBytes]) {
      writeFileSync(join(directory, 'data.mdb'), new Uint8Array(size));
      await opened();
    }
    await write(3);
  });

  it('are refused each time, and not taken for a crash', async () => {
    await write(3);
    change((page) => page.writeBigUInt64LE(2n, inMeta.rootOfNames));
    for (let attempt = 0; attempt < 4; attempt += 1) {
      expect(await refusal()).to.include({ code: 'storage.corrupt' });
    }
  });
});
