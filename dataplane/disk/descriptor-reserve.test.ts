import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { DescriptorReserve } from './descriptor-reserve.ts';

const program = fileURLToPath(new URL('./testing/without-descriptors.ts', import.meta.url));
const run = promisify(execFile);

const failWith = (code: string): never => {
  throw Object.assign(new Error(code), { code });
};

describe('the descriptors in reserve', function reserve() {
  this.timeout(20_000);
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'photondb-reserve-'));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** What the disk says in a process that may have 64 descriptors and has taken all of them. */
  const said = async (reserved: number): Promise<string> => {
    const line = 'ulimit -n 64 && exec "$0" "$@"';
    const args = [program, directory, String(reserved)];
    const { stdout } = await run('bash', ['-c', line, process.execPath, ...args]);
    return stdout.trim();
  };

  it('let a disk open, list and sync while the process has none left', async () => {
    expect(await said(4)).to.equal('fine');
  });

  it('are what it needs for that', async () => {
    expect(await said(0)).to.equal('EMFILE');
  });

  it('are spent on a shortage only, one after the other, and come back', async () => {
    const held = new DescriptorReserve(2);
    expect(
      await held.use(
        async () => 'first',
        () => 'second',
      ),
    ).to.equal('first');
    const tried: number[] = [];
    const second = await held.use(
      async () => failWith('ENFILE'),
      () => {
        tried.push(held.held);
        return tried.length === 1 ? failWith('ENFILE') : 'second';
      },
    );
    expect([second, tried, held.held]).to.deep.equal(['second', [1, 0], 2]);
    const other = held.use(
      async () => failWith('ENOENT'),
      () => 'second',
    );
    expect(await other.catch((error: Error) => error.message)).to.equal('ENOENT');
    const short = held.use(
      async () => failWith('EMFILE'),
      () => failWith('EMFILE'),
    );
    expect(await short.catch((error: Error) => error.message)).to.equal('EMFILE');
    expect(held.held).to.equal(2);
  });
});
