import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { debianRecord, stateRoot } from '../../k8s/local/cluster/layout.ts';

/**
 * `npm run down -- --purge`, on a machine where nothing else of the project is: in a mount namespace of
 * its own, from a checkout, with a home and a cache of its own.
 */
const root = join(import.meta.dirname, '..', '..');

describe('down -- --purge', () => {
  let home: string;
  let state: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'photondb-home-'));
    state = join(home, 'lib', basename(stateRoot));
    mkdirSync(state, { recursive: true });
    // A checkout of its own: this one may have a cluster that is up.
    cpSync(join(root, 'k8s'), join(home, 'checkout', 'k8s'), { recursive: true });
    cpSync(join(root, 'package.json'), join(home, 'checkout', 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(home, 'checkout', 'node_modules'));
  });

  afterEach(() => rmSync(home, { recursive: true, force: true }));

  function purge(): string {
    const down = join(home, 'checkout', 'k8s', 'local', 'up', 'down.ts');
    const script = `mount --bind ${dirname(state)} ${dirname(stateRoot)} && exec "$0" "$@"`;
    const args = ['--mount', 'sh', '-c', script, process.execPath, down, '--purge'];
    const env = { PATH: process.env['PATH'], HOME: home };
    const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8', env });
    expect(status, stderr).to.equal(0);
    return stdout;
  }

  it('removes the caches of Go with those of the project, and nothing of other programs', () => {
    const cache = join(home, '.cache', 'photondb');
    for (const folder of ['kube-1', 'layers', 'go-build/00', 'go-modules/cache/download']) {
      mkdirSync(join(cache, folder), { recursive: true });
      writeFileSync(join(cache, folder, 'file'), '');
    }
    mkdirSync(join(home, '.cache', 'go-build'));
    expect(purge()).to.contain('has installed no Debian package');
    expect(existsSync(cache)).to.equal(false);
    expect(existsSync(join(home, '.cache', 'go-build'))).to.equal(true);
  });

  it('says which Debian packages stay', () => {
    writeFileSync(join(state, debianRecord.slice(stateRoot.length)), 'containerd\nrunc\n');
    expect(purge()).to.contain('packages stay, which up has installed: containerd, runc');
    expect(existsSync(state)).to.equal(false);
  });

  it('leaves the caches to another local cluster', () => {
    const cache = join(home, '.cache', 'photondb');
    mkdirSync(cache, { recursive: true });
    mkdirSync(join(state, 'up-other'));
    const record = { instance: 'up-other', index: 0, nodes: 1 };
    writeFileSync(join(state, 'up-other', 'instance.json'), JSON.stringify(record));
    expect(purge()).to.contain('another local cluster runs from them');
    expect(existsSync(cache)).to.equal(true);
  });
});
