import { execFile } from 'node:child_process';
import { chmod, cp, mkdtemp, open, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { RealDisk } from '../../disk/real-disk.ts';
import { entry, openLog } from '../testing/log.ts';
import type { OpenedLog } from '../testing/log.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      execPath,
      ['--disable-warning=ExperimentalWarning', program, ...args],
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, offset);
  await file.close();
}

describe('the tool for the write-ahead log, as a process', () => {
  let directory: string;
  let found: OpenedLog;

  const segments = async (): Promise<string[]> =>
    (await readdir(directory)).filter((name) => name.endsWith('.wal')).sort();

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'photondb-wal-')), 'wal');
    found = await openLog(new RealDisk(), { directory });
    for (let index = 1; index <= 100; index += 1) {
      await found.wal.append([entry(index, 1), entry(index, 2)]);
    }
    await found.wal.truncate(2, 90);
  });

  afterEach(async () => {
    await found.wal.close();
    await rm(join(directory, '..'), { recursive: true, force: true });
  });

  it('verifies, dumps and counts, and changes nothing', async () => {
    await found.wal.close();
    const names = await segments();
    const before = await Promise.all(names.map((name) => readFile(join(directory, name))));
    for (const name of names) await chmod(join(directory, name), 0o400);
    const verified = await run('verify', directory);
    expect(verified).to.include({ code: 0, stderr: '' });
    expect(verified.stdout).to.contain(`${names[0]} whole, finished`).and.contain('0 damaged');
    const dumped = await run('dump', directory, '--group', '2', '--payload');
    expect(dumped.code).to.equal(0);
    const lines = dumped.stdout.trimEnd().split('\n');
    expect(lines.length).to.equal(101);
    expect(lines[0]).to.contain('group 2 term 1 index 1 kind 1 100 bytes 322f31');
    expect(lines.at(-1)).to.contain('index 90 kind 255 truncate');
    const counted = await run('stat', directory);
    expect(counted.code).to.equal(0);
    expect(counted.stdout).to.contain('201 records, 2 groups').and.contain('format 2');
    expect(counted.stdout).to.contain('group 2 entries 1 to 89');
    const after = await Promise.all(names.map((name) => readFile(join(directory, name))));
    expect(after.map((bytes, at) => before[at]?.equals(bytes))).to.deep.equal(
      names.map(() => true),
    );
    expect(await segments()).to.deep.equal(names);
  });

  it('names each damaged segment and its groups, and ends with 1', async () => {
    await found.wal.close();
    const names = await segments();
    await flip(join(directory, names[0] ?? ''), 5_000);
    await flip(join(directory, names[1] ?? ''), 6_000);
    for (const command of ['verify', 'stat']) {
      const { code, stderr } = await run(command, directory);
      expect(code, command).to.equal(1);
      expect(stderr).to.contain(names[0]).and.contain(names[1]);
      expect(stderr).to.contain('it may affect 2 groups (1, 2)');
    }
    expect((await run('dump', directory)).code).to.equal(1);
    await rm(join(directory, names[1] ?? ''));
    expect((await run('verify', directory)).stderr).to.contain('a segment before it is missing');
  });

  it('notices that the newest segment was removed', async () => {
    await found.wal.close();
    const newest = (await segments()).at(-1) ?? '';
    await rm(join(directory, newest));
    const { code, stderr } = await run('verify', directory);
    expect(code).to.equal(1);
    expect(stderr).to.contain(newest).and.contain('the file is missing');
  });

  it('reads the directory of a node that runs, and a copy of it', async () => {
    expect((await run('verify', directory)).code).to.equal(0);
    const copy = `${directory}.copy`;
    await cp(directory, copy, { recursive: true });
    for (let index = 101; index <= 200; index += 1) await found.wal.append([entry(index, 1)]);
    // As when the newest segment was copied before it was finished, and newer ones after.
    const old = (await readdir(copy)).filter((name) => name.endsWith('.wal'));
    for (const name of await segments()) {
      if (!old.includes(name)) await cp(join(directory, name), join(copy, name));
    }
    const refused = await run('verify', copy);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.contain('a newer segment exists');
    expect(await run('verify', copy, '--live-copy')).to.include({ code: 0, stderr: '' });
  });

  it('takes the data directory, in which the log has its folder', async () => {
    expect(await run('verify', join(directory, '..'))).to.include({ code: 0, stderr: '' });
    const { stderr } = await run('verify', join(directory, 'none'));
    expect(stderr).to.contain('holds no segment of a write-ahead log, nor does a folder wal in it');
  });

  it('prints how it is called when it is asked', async () => {
    for (const flag of ['--help', '-h']) {
      const { code, stdout, stderr } = await run('verify', flag);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(stdout).to.contain('npm run wal -- verify|dump|stat').and.contain('--data-dir');
    }
  });

  it('says how it is called, and ends with 2', async () => {
    for (const args of [
      [],
      ['mend', directory],
      ['verify'],
      ['verify', directory, 'more'],
      ['verify', `${directory}/none`],
      ['dump', directory, '--group', 'x'],
      ['stat', directory, '--force'],
    ]) {
      const { code, stderr, stdout } = await run(...args);
      expect(code, args.join(' ')).to.equal(2);
      expect(stdout).to.equal('');
      expect(stderr).to.contain('npm run wal -- verify|dump|stat');
    }
  });
});
