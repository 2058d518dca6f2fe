import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import r from 'rethinkdb';

/** `npm run serve` as the first command of all: no packages yet, and a home without anything. */
const root = join(import.meta.dirname, '..', '..');
/** What a clone does not have. */
const left = new Set(['node_modules', '.git', '.photondb', 'data']);
/** The Node that npm finds is the machine's own, not the one that is installed here. */
const path = (process.env['PATH'] ?? '')
  .split(':')
  .filter((folder) => !folder.includes('node_modules'))
  .join(':');

describe('a fresh clone', function clone() {
  this.timeout(180_000);
  let place: string;
  let checkout: string;
  let child: ChildProcess | undefined;

  before(() => {
    place = mkdtempSync(join(tmpdir(), 'photondb-clone-'));
    checkout = join(place, 'photondb');
    cpSync(root, checkout, { recursive: true, filter: (name) => !left.has(relative(root, name)) });
    mkdirSync(join(place, 'home'));
  });

  after(() => {
    child?.kill('SIGKILL');
    rmSync(place, { recursive: true, force: true });
  });

  const env = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: path, HOME: join(place, 'home') });

  it('serves with one command, and keeps its data out of git', async () => {
    const ports = ['driver', 'cluster', 'http', 'web', 'admin'].flatMap((name) => [
      `--${name}-port`,
      '0',
    ]);
    const launcher = ['k8s/local/start.js', 'dataplane/node/main.ts', ...ports];
    // What `npm run serve` runs: npm itself would stand between this test and the signal.
    const started = spawn(machineNode(), launcher, { cwd: checkout, env: env() });
    child = started;
    let said = '';
    started.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const lines = createInterface({ input: started.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    // Nothing but this line: npm's own words go elsewhere.
    const [, pid = '', port = ''] =
      /^ready node=\S+ pid=(\d+) driver=127\.0\.0\.1:(\d+) /.exec(line) ?? [];
    expect(Number(pid), line).to.be.above(0);
    expect(said).to.contain('ok npm packages');
    const connection = await r.connect({ host: '127.0.0.1', port: Number(port) });
    expect(await r.expr(1).add(1).run(connection)).to.equal(2);
    await connection.close();
    const ended = once(started, 'exit');
    started.kill('SIGTERM');
    expect(await ended).to.deep.equal([0, null]);
    expect(said).to.contain('/_admin').and.contain('npm install rethinkdb');
    expect(existsSync(join(checkout, 'data', 'IDENTITY'))).to.equal(true);
    const ignored = spawnSync('git', ['check-ignore', 'data', '.photondb/up.json'], {
      cwd: withGit(),
    });
    expect(ignored.stdout.toString()).to.equal('data\n.photondb/up.json\n');
  });

  it('has tools that take the directory which it serves', () => {
    for (const [program, command] of [
      ['dataplane/wal/tool/main.ts', 'verify'],
      ['dataplane/node/tool/main.ts', 'scrub'],
    ] as const) {
      const args = ['k8s/local/start.js', program, command, './data'];
      const { status, stderr } = spawnSync(machineNode(), args, { cwd: checkout, env: env() });
      expect(status, stderr.toString()).to.equal(0);
    }
  });

  /** Some Node from 18 on: the one that the machine has, else the one that runs this test. */
  function machineNode(): string {
    const { status, stdout } = spawnSync('node', ['--version'], { env: env() });
    const major = Number(/^v(\d+)/.exec(stdout?.toString() ?? '')?.[1] ?? 0);
    return status === 0 && major >= 18 ? 'node' : process.execPath;
  }

  function withGit(): string {
    spawnSync('git', ['init', '--quiet'], { cwd: checkout, env: env() });
    return checkout;
  }
});
