import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Operation, Table } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import { connect, home } from '../soak/load.ts';
import type { Ask } from '../soak/load.ts';

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);
const waitMsMax = 30_000;
const pollMs = 20;

/** What the types of the driver leave out. */
interface More {
  config(): Operation<{ readonly expire_at?: string; readonly indexes: readonly string[] }>;
  reconfigure(options: { readonly expireAt: string | number | null }): Operation<unknown>;
}

const sessions = r.table('sessions') as Table & More;
const createSessions = home.tableCreate('sessions', { expireAt: 'expires' } as object);

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMsMax;
  while (!(await isSo())) {
    expect(performance.now()).to.be.lessThan(deadline);
    await sleep(pollMs);
  }
}

const message = async (asked: Promise<unknown>): Promise<string> => {
  const [outcome] = await Promise.allSettled([asked]);
  return outcome?.status === 'rejected' ? (outcome.reason as { msg: string }).msg : 'accepted';
};

describe('the document TTL', function ending() {
  this.timeout(90_000);
  let directory: string;

  beforeEach(() => {
    directory = temporaryDirectory();
  });

  afterEach(() => removeDirectory(directory));

  it('go when their time is over, also those that were there before the table knew of it', async () => {
    const served = await serve(directory);
    const { ask } = await connect(served);
    await ask(createSessions);
    expect((await ask(sessions.config())).expire_at).to.equal('expires');
    expect(await ask(sessions.indexList())).to.deep.equal([]);
    const ids = (): Promise<unknown> =>
      ask(
        sessions
          .orderBy('id')
          .map((row) => row('id'))
          .coerceTo('array'),
      );
    const soon = r.now().add(0.3);
    await ask(
      sessions.insert([
        { id: 'soon', expires: soon },
        { id: 'as a date', expires: new Date(Date.now() + 300) },
        { id: 'later', expires: r.now().add(3_600) },
        { id: 'renewed', expires: r.now().add(2) },
        { id: 'text', expires: 'soon' },
      ]),
    );
    await ask(sessions.get('renewed').update({ expires: r.now().add(3_600) }));
    await until(async () => (await ask(sessions.count())) === 3);
    expect(await ids()).to.deep.equal(['later', 'renewed', 'text']);

    await ask(sessions.reconfigure({ expireAt: null }));
    expect(await ask(sessions.config())).not.to.have.property('expire_at');
    await ask(sessions.insert({ id: 'over', expires: r.now() }));
    await ask(sessions.reconfigure({ expireAt: 'expires' }));
    await until(async () => (await ask(sessions.count())) === 3);
    expect(await ids()).to.deep.equal(['later', 'renewed', 'text']);
    const metrics = await (await fetch(`http://${served.httpUrl}/_metrics`)).text();
    expect(metrics).to.contain('photondb_documents_expired_total 3');

    const wrong = 'Expected type STRING but found NUMBER';
    expect(await message(ask(sessions.reconfigure({ expireAt: 5 })))).to.contain(wrong);
    const options = { expireAt: 5 } as object;
    expect(await message(ask(home.tableCreate('x', options)))).to.contain(wrong);
    await end(served);
  });

  it('go all, and no other, when the node is killed meanwhile', async () => {
    let served = await serve(directory);
    let { ask } = await connect(served);
    await ask(createSessions);
    const kept = 2_000;
    const over = 10_000;
    await fill(ask, kept, 3_600);
    await fill(ask, over, 1);
    let kills = 0;
    let before = kept + over;
    await until(async () => {
      const count = await ask(sessions.count());
      expect(count).to.be.at.least(kept);
      // In the middle of the deletions, each time.
      if (count < before && count > kept && kills < 2) {
        await end(served, 'SIGKILL');
        served = await serve(directory);
        ({ ask } = await connect(served));
        kills += 1;
        before = await ask(sessions.count());
      }
      return count === kept;
    });
    expect(kills).to.be.greaterThan(0);
    expect(await ask(sessions.filter(r.row('expires').gt(r.now())).count())).to.equal(kept);
    await end(served);
  });

  it('are in JavaScript as the page about them says', async () => {
    const page = readFileSync(join(root, 'docs', 'concepts', 'expiry.md'), 'utf8');
    const [, program = '', output = ''] = /```js\n(.*?)```\s+```text\n(.*?)```/s.exec(page) ?? [];
    const served = await serve(join(directory, 'data'));
    const file = join(directory, 'program.mjs');
    writeFileSync(file, program.replace('28015', String(served.driverPort)));
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    const { stdout } = await run(process.execPath, [file], { cwd: directory, timeout: waitMsMax });
    expect(stdout).to.equal(output);
    await end(served);
  });
});

/** Documents that expire so many seconds from now. */
async function fill(ask: Ask, count: number, seconds: number): Promise<void> {
  const batch = 2_000;
  for (let first = 0; first < count; first += batch) {
    const documents = Array.from({ length: batch }, (_, at) => ({
      id: `${seconds}/${first + at}`,
      expires: new Date(Date.now() + seconds * 1_000),
    }));
    await ask(sessions.insert(documents, { durability: 'soft' }));
  }
}
