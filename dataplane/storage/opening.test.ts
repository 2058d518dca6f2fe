import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openGuarded } from './opening.ts';

describe('opening the storage', () => {
  let folder: string;
  let directory: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'photondb-opening-'));
    directory = join(folder, 'store');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A process that dies while it opens, as one does that touches a damaged page. */
  function crash(): NodeJS.Signals | null {
    const module = JSON.stringify(join(import.meta.dirname, 'opening.ts'));
    const script = `import { openGuarded } from ${module};
      openGuarded(${JSON.stringify(directory)}, () => process.kill(process.pid, 'SIGKILL'));`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal;
  }

  it('answers what was opened, and leaves nothing behind', () => {
    expect(openGuarded(directory, () => 'opened')).to.equal('opened');
    expect(existsSync(`${directory}.opening`)).to.equal(false);
  });

  it('goes on after one crash, and forgets it when it was survived', () => {
    expect(crash()).to.equal('SIGKILL');
    expect(openGuarded(directory, () => 'opened')).to.equal('opened');
    expect(crash()).to.equal('SIGKILL');
    expect(openGuarded(directory, () => 'opened')).to.equal('opened');
  });

  it('leaves the storage alone after two crashes in a row, until somebody says otherwise', () => {
    crash();
    crash();
    let isOpened = false;
    const open = (): void => {
      isOpened = true;
    };
    expect(() => openGuarded(directory, open)).to.throw(/crash 2 times .* remove .*store\.opening/);
    expect(isOpened).to.equal(false);
    rmSync(`${directory}.opening`);
    openGuarded(directory, open);
    expect(isOpened).to.equal(true);
  });

  it('does not take an exception for a crash', () => {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(() =>
        openGuarded(directory, () => {
          throw new Error('no space left on device');
        }),
      ).to.throw(/cannot be opened: no space left on device/);
    }
  });

  it('does not stumble over a count that cannot be read', () => {
    writeFileSync(`${directory}.opening`, 'nonsense');
    expect(openGuarded(directory, () => 'opened')).to.equal('opened');
  });
});
