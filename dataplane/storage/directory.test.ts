import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { lockDirectory, openDirectory, requireLog } from './directory.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';
import { machineChance } from '../node/chance.ts';

describe('the data directory', () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'photondb-directory-'));
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('belongs permanently to the node that opened it first', () => {
    const first = openDirectory(path, { cluster: 'c', node: 'n' }, machineChance);
    first[Symbol.dispose]();
    using again = openDirectory(path, { cluster: 'c', node: 'n' }, machineChance);
    expect(again.identity).to.deep.equal(first.identity);
    expect(JSON.parse(readFileSync(join(path, 'IDENTITY'), 'utf8'))).to.include({ node: 'n' });
  });

  it('is refused to another node and to another cluster, by a sentence that names both', () => {
    openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)[Symbol.dispose]();
    expect(() => openDirectory(path, { cluster: 'c', node: 'm' }, machineChance)).to.throw(
      /belongs to node n .* not to node m/,
    );
    expect(() => openDirectory(path, { cluster: 'd', node: 'n' }, machineChance)).to.throw(
      /of cluster c, .* of cluster d/,
    );
    using again = openDirectory(path, { cluster: 'c', node: 'n' }, machineChance);
    expect(again.identity.node).to.equal('n');
  });

  it("is its owner's alone, also what a release before this one made, and nothing else in it", async () => {
    openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)[Symbol.dispose]();
    const store = new LmdbStore({ clock: machineClock, directory: join(path, 'store') });
    await store.write((transaction) =>
      transaction.put('meta', new Uint8Array([1]), new Uint8Array([1])),
    );
    await store.copyTo(join(path, 'store-copy'));
    await store.close();
    const own = ['IDENTITY', 'LOCK', 'store/data.mdb', 'store/lock.mdb', 'store-copy/data.mdb'];
    const modeOf = (name: string): string => (statSync(join(path, name)).mode & 0o777).toString(8);
    expect(own.slice(2).map(modeOf)).to.deep.equal(['600', '600', '600']);
    expect(modeOf('store')).to.equal('700');
    for (const name of own) chmodSync(join(path, name), 0o644);
    for (const name of ['', 'store', 'store-copy']) chmodSync(join(path, name), 0o755);
    openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)[Symbol.dispose]();
    expect(new Set(own.map(modeOf))).to.deep.equal(new Set(['600']));
    expect(['', 'store', 'store-copy'].map(modeOf)).to.deep.equal(['700', '700', '700']);
    writeFileSync(join(path, 'notes'), 'not ours', { mode: 0o644 });
    chmodSync(path, 0o755);
    openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)[Symbol.dispose]();
    expect(['', 'notes', 'LOCK'].map(modeOf)).to.deep.equal(['755', '644', '600']);
  });

  it('is refused to a second process while the first lives', () => {
    using held = openDirectory(path, { cluster: 'c', node: 'n' }, machineChance);
    const script = `import { openDirectory } from ${JSON.stringify(join(import.meta.dirname, 'directory.ts'))};
      try { openDirectory(${JSON.stringify(held.path)}, { cluster: 'c', node: 'n' }, { uuid: () => '1' }); console.log('opened'); }
      catch (error) { console.log(error.code + ': ' + error.message); }`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout).to.contain('storage.locked').and.contain('in use by another process');
  });

  it('is refused when its format is newer or its identity unreadable', () => {
    const identity = { format: 99, cluster: 'c', node: 'n', id: 'x' };
    writeFileSync(join(path, 'IDENTITY'), JSON.stringify(identity));
    expect(() => openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)).to.throw(
      /has format 99; this release reads format 3/,
    );
    writeFileSync(join(path, 'IDENTITY'), 'not json');
    expect(() => openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)).to.throw(
      /cannot be read as an identity/,
    );
  });

  it('is refused when it holds data and no identity', () => {
    openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)[Symbol.dispose]();
    mkdirSync(join(path, 'wal'));
    rmSync(join(path, 'IDENTITY'));
    expect(() => openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)).to.throw(
      /has a wal and no file IDENTITY/,
    );
    expect(existsSync(join(path, 'IDENTITY'))).to.equal(false);
  });

  it('says what to do about a lock that is no lock', () => {
    writeFileSync(join(path, 'LOCK'), 'x'.repeat(4_096));
    expect(() => openDirectory(path, { cluster: 'c', node: 'n' }, machineChance)).to.throw(
      /its file LOCK is damaged; .*remove it/,
    );
  });

  it('takes over a directory of the format before, and says so in its identity', () => {
    const identity = { format: 1, cluster: 'c', node: 'n', id: 'x' };
    writeFileSync(join(path, 'IDENTITY'), JSON.stringify(identity));
    using found = openDirectory(path, { cluster: 'c', node: 'n' }, machineChance);
    const wanted = { ...identity, format: 2 };
    expect(found.identity).to.deep.equal(wanted);
    expect(JSON.parse(readFileSync(join(path, 'IDENTITY'), 'utf8'))).to.deep.equal(wanted);
  });

  it('keeps its node ID when its node gets a cluster, and keeps both from then on', () => {
    const owner = { cluster: 'c', node: 'n' };
    const before = { format: 2, ...owner, id: 'x' };
    writeFileSync(join(path, 'IDENTITY'), JSON.stringify(before));
    {
      using locked = lockDirectory(path);
      expect(locked.found).to.deep.equal(before);
      const { identity } = locked.settle(owner, { nodeId: 'x', clusterId: 'y' });
      expect(identity).to.deep.equal({ ...before, format: 3, clusterId: 'y' });
    }
    using again = openDirectory(path, owner, machineChance);
    expect(again.identity).to.deep.equal({ ...before, format: 3, clusterId: 'y' });
  });

  it('has no identity before it is settled, and is refused to others all the same', () => {
    using locked = lockDirectory(path);
    expect(locked.found).to.equal(undefined);
    expect(existsSync(join(path, 'IDENTITY'))).to.equal(false);
    expect(() => lockDirectory(path)).to.throw(/in use by another process/);
  });

  it('says what is wrong when a file stands in its place', () => {
    writeFileSync(join(path, 'file'), '');
    expect(() =>
      openDirectory(join(path, 'file'), { cluster: 'c', node: 'n' }, machineChance),
    ).to.throw(/cannot be used: a file stands where a directory is wanted/);
  });

  it('is refused when its log is gone', () => {
    expect(() => requireLog(join(path, 'wal'))).to.throw(/the log is missing in .*wal/i);
    writeFileSync(join(path, '0000000000000001.wal'), '');
    expect(() => requireLog(path)).to.not.throw();
  });
});
