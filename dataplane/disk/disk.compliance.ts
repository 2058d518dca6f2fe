import { expect } from 'chai';
import { concatBytes, decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { Disk } from './disk.ts';

interface DiskUnderTest {
  readonly disk: Disk;
  /** An empty directory. */
  readonly directory: string;
  cleanUp(): Promise<void>;
}

async function codeOf(action: Promise<unknown>): Promise<string | undefined> {
  try {
    await action;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  throw new Error('expected a rejection');
}

/** What every disk must do, whatever it is made of. */
export function describeDisk(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(name, () => {
    let disk: Disk;
    let directory: string;
    let cleanUp: () => Promise<void>;

    beforeEach(async () => {
      const made = await make();
      ({ disk, directory } = made);
      cleanUp = () => made.cleanUp();
    });

    afterEach(() => cleanUp());

    async function fileWith(path: string, text: string): Promise<void> {
      const file = await disk.open(path, 'create');
      await file.write(0, encodeUtf8(text));
      await file.sync();
      await file.close();
    }

    async function textOf(path: string): Promise<string> {
      const file = await disk.open(path, 'read');
      const bytes = await file.read(0, 1_000);
      await file.close();
      return decodeUtf8(bytes);
    }

    it('reads into bytes of the caller, and leaves those behind the end alone', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, encodeUtf8('abc'));
      const into = new Uint8Array(4).fill(7);
      expect(await file.readInto(1, into)).to.equal(2);
      expect([...into]).to.deep.equal([98, 99, 7, 7]);
      expect(await file.readInto(3, into)).to.equal(0);
      await file.close();
      expect(await codeOf(file.readInto(0, into))).to.equal('EBADF');
    });

    it('reads back what was written at each offset, with zeros between', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(4, encodeUtf8('later'));
      await file.write(0, encodeUtf8('be'));
      await file.write(6, encodeUtf8('T'));
      expect(await file.size()).to.equal(9);
      expect([...(await file.read(0, 6))]).to.deep.equal([98, 101, 0, 0, 108, 97]);
      expect(decodeUtf8(await file.read(4, 5))).to.equal('laTer');
      await file.close();
    });

    it('answers fewer bytes only at the end of a file', async () => {
      await fileWith(`${directory}/a`, 'abc');
      const file = await disk.open(`${directory}/a`, 'read');
      expect(decodeUtf8(await file.read(1, 100))).to.equal('bc');
      expect((await file.read(3, 1)).byteLength).to.equal(0);
      await file.close();
    });

    it('gives the reader bytes that later writes do not change', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      const source = encodeUtf8('first');
      await file.write(0, source);
      source.fill(0);
      const read = await file.read(0, 5);
      await file.write(0, encodeUtf8('other'));
      expect(decodeUtf8(read)).to.equal('first');
      await file.close();
    });

    it('writes and reads large pieces whole', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      const piece = new Uint8Array(3_000_000).map((_, at) => at % 251);
      await file.write(11, piece);
      await file.sync();
      expect(Buffer.compare(await file.read(11, piece.byteLength), piece)).to.equal(0);
      await file.close();
    });

    it('writes durably beside other writes, also under a new name', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      await file.write(0, encodeUtf8('plain'));
      await disk.rename(`${directory}/a`, `${directory}/b`);
      await file.writeDurably(5, encodeUtf8(' durable'));
      await file.writeDurably(0, encodeUtf8('P'));
      await file.close();
      expect(await textOf(`${directory}/b`)).to.equal('Plain durable');
      const reader = await disk.open(`${directory}/b`, 'read');
      expect(await codeOf(reader.writeDurably(0, encodeUtf8('x')))).to.equal('EBADF');
      await reader.close();
    });

    it('makes a new file only where none is, and opens only one that exists', async () => {
      await fileWith(`${directory}/a`, 'kept');
      expect(await codeOf(disk.open(`${directory}/a`, 'create'))).to.equal('EEXIST');
      expect(await codeOf(disk.open(`${directory}/b`, 'write'))).to.equal('ENOENT');
      expect(await codeOf(disk.open(`${directory}/b`, 'read'))).to.equal('ENOENT');
      const file = await disk.open(`${directory}/a`, 'write');
      await file.write(4, encodeUtf8('!'));
      await file.close();
      expect(await textOf(`${directory}/a`)).to.equal('kept!');
    });

    it('refuses writing to what was opened for reading, and anything after closing', async () => {
      await fileWith(`${directory}/a`, 'kept');
      const file = await disk.open(`${directory}/a`, 'read');
      expect(await codeOf(file.write(0, encodeUtf8('x')))).to.equal('EBADF');
      await file.close();
      expect(await codeOf(file.read(0, 1))).to.equal('EBADF');
      expect(await textOf(`${directory}/a`)).to.equal('kept');
    });

    it('lists names in order, and none where there is no directory', async () => {
      await fileWith(`${directory}/b`, '');
      await fileWith(`${directory}/a`, '');
      await disk.syncDirectory(directory);
      expect(await disk.list(directory)).to.deep.equal(['a', 'b']);
      expect(await disk.list(`${directory}/none`)).to.deep.equal([]);
    });

    it('renames over what stands there, and removes what may be missing', async () => {
      await fileWith(`${directory}/a`, 'new');
      await fileWith(`${directory}/b`, 'old');
      await disk.rename(`${directory}/a`, `${directory}/b`);
      await disk.syncDirectory(directory);
      expect(await textOf(`${directory}/b`)).to.equal('new');
      await disk.remove(`${directory}/b`);
      await disk.remove(`${directory}/b`);
      expect(await disk.list(directory)).to.deep.equal([]);
      expect(await codeOf(disk.rename(`${directory}/b`, `${directory}/c`))).to.equal('ENOENT');
    });

    it('keeps an open file readable after it was renamed or removed', async () => {
      const file = await disk.open(`${directory}/a`, 'create');
      await disk.rename(`${directory}/a`, `${directory}/b`);
      await file.write(0, encodeUtf8('still'));
      expect(await textOf(`${directory}/b`)).to.equal('still');
      await disk.remove(`${directory}/b`);
      expect(decodeUtf8(concatBytes([await file.read(0, 5)]))).to.equal('still');
      await file.close();
    });

    it('makes directories, also those above, and again', async () => {
      const deep = `${directory}/one/two`;
      await disk.makeDirectory(deep);
      await disk.makeDirectory(deep);
      await fileWith(`${deep}/a`, 'x');
      expect(await disk.list(deep)).to.deep.equal(['a']);
      expect(await codeOf(disk.open(`${directory}/none/a`, 'create'))).to.equal('ENOENT');
      expect(await codeOf(disk.syncDirectory(`${directory}/none`))).to.equal('ENOENT');
    });

    it('knows how much room is left', async () => {
      expect(await disk.freeBytes(directory)).to.be.greaterThan(0);
    });
  });
}
