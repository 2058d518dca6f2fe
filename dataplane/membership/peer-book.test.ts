import { expect } from 'chai';
import type { Member } from '../gossip/member.ts';
import { readFile } from './cluster-files.ts';
import { PeerBook } from './peer-book.ts';
import { MemoryFiles } from './testing/memory-files.ts';

const member = (id: string): Member => ({ id, address: `${id}:29015` }) as Member;
const storedIn = (files: MemoryFiles): unknown => readFile(files, 'peers')?.peers;

describe('the stored peers of a node', () => {
  it('are the others, written when they change', () => {
    const files = new MemoryFiles();
    const book = new PeerBook(files, 'a');
    book.store([member('a'), member('b')]);
    expect(storedIn(files)).to.deep.equal([{ id: 'b', address: 'b:29015' }]);
    let writes = 0;
    const write = files.write.bind(files);
    files.write = (name, text) => {
      writes += 1;
      write(name, text);
    };
    book.store([member('a'), member('b')]);
    new PeerBook(files, 'a').store([member('b')]);
    expect(writes).to.equal(0);
    book.store([member('b'), member('c')]);
    expect(writes).to.equal(1);
  });

  it('stay until they are met: who reaches nobody at its start still knows whom it looks for', () => {
    const files = new MemoryFiles();
    new PeerBook(files, 'a').store([member('a'), member('b'), member('c')]);
    const book = new PeerBook(files, 'a');
    book.store([member('a')]);
    expect(book.targets([member('a')], [], () => false).map(({ id }) => id)).to.include.members([
      'b',
      'c',
    ]);
    expect(new PeerBook(files, 'a').peers.map(({ id }) => id)).to.deep.equal(['b', 'c']);
    // One that was met and that nobody remembers any more is gone.
    book.store([member('a'), member('b')]);
    book.store([member('a')]);
    expect(storedIn(files)).to.deep.equal([{ id: 'c', address: 'c:29015' }]);
  });

  it('are written later when the disk is full', () => {
    const files = new MemoryFiles();
    const write = files.write.bind(files);
    let code = 'ENOSPC';
    files.write = () => {
      const cause = Object.assign(new Error('the disk'), { code });
      throw new Error('the file cannot be used', { cause });
    };
    const book = new PeerBook(files, 'a');
    book.store([member('b')]);
    expect(book.peers.map(({ id }) => id)).to.deep.equal(['b']);
    code = 'EIO';
    expect(() => book.store([member('b')])).to.throw('cannot be used');
    files.write = write;
    book.store([member('b')]);
    expect(storedIn(files)).to.deep.equal([{ id: 'b', address: 'b:29015' }]);
  });
});
