import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { missingPackages, requireLinuxRoot } from './debian.ts';
import { LocalError } from './errors.ts';
import { hashOf, readIfThere, requireSpace, writeAtomically, writeIfChanged } from './files.ts';
import { withLock } from './lock.ts';
import { pidNamespace, processes, programOf, signalProcess, startTime } from './processes.ts';
import { mustRun, run, words } from './run.ts';
import { consoleSteps } from './steps.ts';
import { waitFor } from './wait.ts';

async function failureOf(promise: Promise<unknown>): Promise<LocalError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LocalError) return error;
    throw error;
  }
  throw new Error('expected to fail');
}

describe('commands of the machine', () => {
  it('are split at white space, while a value stays one word', () => {
    const name = 'two words';
    expect(words`ip  link add ${name}
      type=${'veth'},x ${['a', 'b c']} ${7}`).to.deep.equal([
      'ip',
      'link',
      'add',
      'two words',
      'type=veth,x',
      'a',
      'b c',
      '7',
    ]);
    expect(words``).to.deep.equal([]);
  });

  it('answer their output and their exit code', async () => {
    const result = await run(['sh', '-c', 'cat; echo bad >&2; exit 3'], { input: 'in' });
    expect(result).to.deep.equal({ code: 3, stdout: 'in', stderr: 'bad\n' });
  });

  it('hand on lines as they come', async () => {
    const lines: string[] = [];
    await run(['printf', 'one\\ntwo\\nrest'], { onLine: (line) => lines.push(line) });
    expect(lines).to.deep.equal(['one', 'two']);
  });

  it('say what a command said that failed', async () => {
    const error = await failureOf(mustRun(['sh', '-c', 'echo no such thing >&2; exit 1']));
    expect(error.code).to.equal('local.command_failed');
    expect(error.message).to.contain('no such thing');
  });

  it('name a command that is not installed', async () => {
    const error = await failureOf(run(['no-such-command-here']));
    expect(error.code).to.equal('local.command_missing');
    expect(error.message).to.contain('no-such-command-here');
  });

  it('end at their deadline and when they are interrupted', async () => {
    expect((await failureOf(run(['sleep', '60'], { timeoutMs: 20 }))).code).to.equal(
      'local.timeout',
    );
    const abort = new AbortController();
    const running = failureOf(run(['sleep', '60'], { signal: abort.signal }));
    abort.abort();
    expect((await running).code).to.equal('local.interrupted');
  });
});

describe('waiting', () => {
  it('ends with the first answer', async () => {
    let asked = 0;
    const probe = (): number | false => ++asked === 3 && asked;
    expect(await waitFor(probe, { what: 'it', timeoutMs: 5_000, intervalMs: 1 })).to.equal(3);
  });

  it('says what did not come, and why', async () => {
    const options = { what: 'the moon', timeoutMs: 5, intervalMs: 1, explain: () => 'clouds' };
    const error = await failureOf(waitFor(() => false, options));
    expect(error.code).to.equal('local.timeout');
    expect(error.message).to.match(/the moon[^]*clouds/);
  });

  it('ends when it is interrupted', async () => {
    const signal = AbortSignal.abort();
    const error = await failureOf(waitFor(() => false, { what: 'x', timeoutMs: 5_000, signal }));
    expect(error.code).to.equal('local.interrupted');
  });
});

describe('files and locks', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'photondb-local-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes whole files with their mode, and leaves equal ones alone', () => {
    const path = join(folder, 'secret');
    writeAtomically(path, 'one', 0o600);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const before = statSync(path).ino;
    writeIfChanged(path, 'one');
    expect(statSync(path).ino).to.equal(before);
    writeIfChanged(path, 'two');
    expect(readFileSync(path, 'utf8')).to.equal('two');
    expect(readIfThere(join(folder, 'missing'))).to.equal(undefined);
  });

  it('hashes contents so that nothing can shift from one to the next', () => {
    expect(hashOf([['a', 'bc']])).to.not.equal(hashOf([['ab', 'c']]));
    expect(hashOf([['a', 'b']])).to.equal(hashOf([['a', Buffer.from('b')]]));
  });

  it('refuses a disk that is too small, and says what to do', () => {
    expect(() => requireSpace(folder, 1e9, 'a build')).to.throw(LocalError, 'a build needs');
    expect(() => requireSpace(folder, 0, 'a build')).not.to.throw();
  });

  it('lets one in at a time, and tells the other that it waits', async () => {
    const file = join(folder, 'lock');
    const order: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const first = withLock(file, { timeoutMs: 10_000 }, async () => {
      await held;
      order.push('first');
    });
    const onWait = (): void => {
      order.push('waits');
      release();
    };
    await withLock(file, { timeoutMs: 10_000, onWait }, () => void order.push('second'));
    await first;
    expect(order).to.deep.equal(['waits', 'first', 'second']);
  });

  it('gives up on a lock that stays held', async () => {
    const file = join(folder, 'lock');
    await withLock(file, { timeoutMs: 1_000 }, async () => {
      const error = await failureOf(withLock(file, { timeoutMs: 1 }, () => undefined));
      expect(error.code).to.equal('local.locked');
    });
  });

  it('frees the lock of a process that was killed', async () => {
    const file = join(folder, 'lock');
    const program = join(folder, 'holder.ts');
    const lock = join(import.meta.dirname, 'lock.ts');
    writeFileSync(
      program,
      `import { withLock } from ${JSON.stringify(lock)};
      await withLock(process.argv[2], { timeoutMs: 1000 }, () => {
        console.log('held');
        return new Promise(() => setInterval(() => {}, 1000));
      });`,
    );
    const holder = spawn(process.execPath, [program, file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(holder.stdout, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(await withLock(file, { timeoutMs: 1_000 }, () => 'free')).to.equal('free');
  });
});

describe('processes', () => {
  it('are found by their command, with an identity until they end', async () => {
    const child = spawn('sleep', ['61']);
    await once(child, 'spawn');
    const found = await waitFor(
      () => processes().find(({ pid, command }) => pid === child.pid && command[1] === '61'),
      { what: 'the process', timeoutMs: 5_000 },
    );
    expect(programOf(found)).to.equal('sleep');
    expect(startTime(found.pid)).to.match(/^\d+$/);
    expect(pidNamespace(found.pid)).to.equal(pidNamespace(process.pid));
    signalProcess(found.pid, 'SIGKILL');
    await once(child, 'exit');
    expect(startTime(found.pid)).to.equal(undefined);
    expect(() => signalProcess(found.pid, 'SIGKILL')).not.to.throw();
  });
});

describe('the machine', () => {
  it('needs only the packages that are missing', () => {
    expect(missingPackages(() => true)).to.deep.equal([]);
    expect(missingPackages((path) => !path.endsWith('/runc'))).to.deep.equal(['runc']);
    expect(missingPackages(() => false)).to.include.members(['containerd', 'nftables']);
  });

  it('says who has to run it', () => {
    expect(() => requireLinuxRoot('npm run up', 0)).not.to.throw();
    expect(() => requireLinuxRoot('npm run up', 1000)).to.throw(LocalError, 'up needs root');
  });
});

describe('steps', () => {
  const screen = (isTTY: boolean): { text: string; write(text: string): void; isTTY: boolean } => ({
    text: '',
    isTTY,
    write(text) {
      this.text += text;
    },
  });

  it('print one line each with their time into a file', async () => {
    const output = screen(false);
    let now = 0;
    const steps = consoleSteps(output, () => now);
    const answer = await steps.run('image', (step) => {
      now = 1_500;
      step.progress('photondb:1');
      return 7;
    });
    expect(answer).to.equal(7);
    expect(output.text).to.equal('  ok image: photondb:1 (1.5 s)\n');
  });

  it('print progress of a long step now and then', async () => {
    const output = screen(false);
    let now = 0;
    await consoleSteps(output, () => now).run('build', (step) => {
      step.progress('1 of 9');
      now = 20_000;
      step.progress('2 of 9');
      step.progress('3 of 9');
    });
    expect(output.text.split('\n')[0]).to.equal('  .. build: 2 of 9 (20.0 s)');
    expect(output.text).to.not.contain('1 of 9');
  });

  it('rewrite their line on a terminal, and name the step that failed', async () => {
    const output = screen(true);
    const steps = consoleSteps(output, () => 0);
    const broken = new LocalError('local.timeout', 'late');
    const error = await failureOf(
      steps.run('cluster', () => {
        throw broken;
      }),
    );
    expect(error).to.equal(broken);
    expect(output.text).to.contain('\r\u001B[2K  !! cluster failed after 0.0 s\n');
  });
});
