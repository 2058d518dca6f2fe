import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { TextFiles } from './text-files.ts';

describe('text files beside the data', () => {
  let root: string;
  let files: TextFiles;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'photondb-files-'));
    files = new TextFiles(join(root, 'cluster'));
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('are read as they were written last, by their owner alone', () => {
    expect(files.read('key.pem')).to.equal(undefined);
    files.write('key.pem', 'one');
    files.write('key.pem', 'two');
    expect(files.read('key.pem')).to.equal('two');
    expect(statSync(join(root, 'cluster', 'key.pem')).mode & 0o777).to.equal(0o600);
    expect(statSync(join(root, 'cluster')).mode & 0o777).to.equal(0o700);
    files.remove('key.pem');
    files.remove('key.pem');
    expect(files.read('key.pem')).to.equal(undefined);
  });

  it('are not read from what a crash left of the next version', () => {
    files.write('ring.json', 'whole');
    writeFileSync(join(root, 'cluster', 'ring.json.new'), 'ha');
    expect(files.read('ring.json')).to.equal('whole');
    files.write('ring.json', 'next');
    expect(existsSync(join(root, 'cluster', 'ring.json.new'))).to.equal(false);
  });

  it('that cannot be used are named, with the reason', () => {
    mkdirSync(join(root, 'cluster', 'peers.json'), { recursive: true });
    expect(() => files.read('peers.json')).to.throw(/peers\.json cannot be used: EISDIR/);
    expect(() => files.write('peers.json', '')).to.throw(/peers\.json cannot be used/);
  });
});
