import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeRoom, setAside } from './set-aside.ts';

const at = Date.UTC(2030, 0, 2, 3, 4, 5);

describe('what is set aside of a data directory', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'photondb-aside-'));
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function put(name: string, bytes = 4): void {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'file'), 'x'.repeat(bytes));
  }

  it('is kept in a directory that names the time', () => {
    put('wal');
    put('cluster');
    const kept = setAside(root, ['wal', 'store'], at);
    expect(kept).to.equal(join(root, 'lost-2030-01-02T03-04-05.000Z'));
    expect(readdirSync(kept)).to.deep.equal(['wal']);
    expect(readdirSync(root).toSorted()).to.deep.equal([
      'cluster',
      'lost-2030-01-02T03-04-05.000Z',
    ]);
  });

  it('is complete when a call that was interrupted is repeated', () => {
    put('wal');
    setAside(root, ['wal'], at);
    put('store');
    const kept = setAside(root, ['wal', 'store'], at);
    expect(readdirSync(kept).toSorted()).to.deep.equal(['store', 'wal']);
  });

  it('takes the place of what was set aside before', () => {
    put('wal');
    const former = setAside(root, ['wal'], at);
    put('wal');
    const kept = setAside(root, ['wal'], at + 1);
    expect([existsSync(former), existsSync(join(kept, 'wal'))]).to.deep.equal([false, true]);
  });

  it('goes when the disk has no room for as much again', () => {
    put('wal', 10);
    put('store', 1_000);
    const kept = setAside(root, ['wal', 'store'], at);
    expect(makeRoom(kept, ['store', 'wal'], () => 1_000)).to.deep.equal([]);
    expect(makeRoom(kept, ['store', 'wal', 'none'], () => 500)).to.deep.equal(['store']);
    expect(readdirSync(kept)).to.deep.equal(['wal']);
  });
});
