import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { absentText, findPostgres, ownerOf, startPostgres } from './postgres-server.ts';
import type { RunningPostgres } from './postgres-server.ts';

describe('the PostgreSQL server of the benchmark', () => {
  let folder: string;

  beforeEach(() => (folder = temporaryDirectory()));
  afterEach(() => removeDirectory(folder));

  const failing = 'echo "no room" >&2; exit 3';
  const install = (
    version: string,
    programs: readonly string[],
    mode = 0o755,
    script = failing,
  ): void => {
    const bin = join(folder, version, 'bin');
    mkdirSync(bin, { recursive: true });
    for (const program of programs) {
      writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, program), mode);
    }
  };
  const both = ['initdb', 'postgres'];

  it('is the newest version by number', () => {
    for (const version of ['9.6', '15', '16']) install(version, both);
    expect(findPostgres(folder)).to.deep.equal({ version: '16', bin: join(folder, '16', 'bin') });
  });

  it('is not a version of which only the clients are installed', () => {
    install('17', ['psql', 'initdb']);
    install('16', both, 0o644);
    install('15', both);
    mkdirSync(join(folder, 'common'));
    expect(findPostgres(folder)?.version).to.equal('15');
  });

  it('is absent without its folder, and with an empty one', () => {
    expect(findPostgres(folder)).to.equal(undefined);
    expect(findPostgres(join(folder, 'none'))).to.equal(undefined);
    expect(absentText).to.contain('apt-get install postgresql');
  });

  it('runs as the user of the benchmark unless that is root', () => {
    expect(ownerOf(1_000, '')).to.equal(undefined);
    expect(ownerOf(undefined, '')).to.equal(undefined);
  });

  it('runs as the user of its package instead of root, or as nobody', () => {
    const root = 'root:x:0:0:root:/root:/bin/bash';
    const nobody = 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin';
    const postgres = 'postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash';
    const of = (...lines: readonly string[]): unknown => ownerOf(0, `${lines.join('\n')}\n`);
    expect(of(root, nobody, postgres)).to.deep.equal({ uid: 101, gid: 104 });
    expect(of(root, nobody)).to.deep.equal({ uid: 65_534, gid: 65_534 });
    expect(() => of(root)).to.throw(
      'refuses to run as root, and there is no user postgres or nobody',
    );
  });

  it('is refused as a user who is root under another name', () => {
    expect(() => ownerOf(0, 'postgres:x:0:0::/:/bin/sh\n')).to.throw(
      'run the benchmark as another',
    );
  });

  /** Starts the installed version 15; its user needs access to the programs. */
  const start = (): Promise<RunningPostgres> => {
    chmodSync(folder, 0o755);
    return startPostgres({ version: '15', bin: join(folder, '15', 'bin') }, 1);
  };

  const failure = (): Promise<string> =>
    start().then(
      () => 'it started',
      (error: unknown) => (error as Error).message,
    );

  it('says what the programs said when they fail', async () => {
    install('15', both);
    expect(await failure()).to.equal('PostgreSQL ended with code 3:\nno room\n');
  });

  it('has failed when it ends before it is ready, in whatever way', async () => {
    install('15', both, 0o755, 'echo "not today"');
    expect(await failure()).to.equal('PostgreSQL ended with code 0:\nnot today\n');
  });

  it('says that a program cannot be started', async () => {
    expect(await failure()).to.contain('ENOENT');
    install('15', ['initdb'], 0o755, 'exit 0');
    expect(await failure()).to.contain('ENOENT');
  });

  it('leaves nothing behind when it is stopped', async () => {
    install('15', ['initdb'], 0o755, 'exit 0');
    const server = 'echo "is ready to accept connections"; exec sleep 60';
    install('15', ['postgres'], 0o755, server);
    const { stop, version, directory } = await start();
    expect([version, existsSync(directory)]).to.deep.equal(['15', true]);
    await stop();
    expect(existsSync(directory)).to.equal(false);
  });
});
