import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Operation, Table } from 'rethinkdb';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import { connect, home } from '../soak/load.ts';
import type { Ask } from '../soak/load.ts';

const rows = 50_000;
const batch = 2_500;
const values = 100;
/** Of this many documents one makes the index function fail. */
const failing = 1_000;
const killsMax = 2;
const buildMsMax = 60_000;
const pollMs = 5;

interface Status {
  readonly ready: boolean;
  readonly progress?: number;
}

/** What the types of the driver leave out. */
interface More {
  indexStatus(name: string): Operation<Status[]>;
  sync(): Operation<unknown>;
}

const many = r.table('many') as Table & More;

async function fill(ask: Ask): Promise<void> {
  await ask(home.tableCreate('many'));
  for (let first = 0; first < rows; first += batch) {
    const documents = Array.from({ length: batch }, (_, at) => {
      const n = first + at;
      return { id: n, n: n % failing === 0 ? 'none' : n };
    });
    await ask(many.insert(documents, { durability: 'soft' }));
  }
  await ask(many.sync());
}

const progressOf = ({ ready, progress = 0 }: Status): number => (ready ? 1 : progress);

async function status(ask: Ask): Promise<Status> {
  const [found] = await ask(many.indexStatus('part'));
  if (found === undefined) throw new Error('no index');
  return found;
}

describe('an index of many documents', () => {
  let directory: string;

  beforeEach(() => {
    directory = temporaryDirectory();
  });

  afterEach(() => removeDirectory(directory));

  it('is built on where a killed node left it, though its function fails for some', async () => {
    let served = await serve(directory);
    let { ask } = await connect(served);
    await fill(ask);
    const part = r.row('n').mod(values);
    await ask(many.indexCreate('part', part));
    const deadline = performance.now() + buildMsMax;
    let reached = 0;
    let kills = 0;
    while (reached < 1) {
      const now = progressOf(await status(ask));
      expect(now, 'progress').to.be.at.least(reached);
      // Each process of the first ones makes some progress of its own, and is killed.
      if (now > reached && now < 1 && kills < killsMax) {
        await end(served, 'SIGKILL');
        served = await serve(directory);
        ({ ask } = await connect(served));
        kills += 1;
      } else await sleep(pollMs);
      reached = now;
      expect(performance.now(), `at ${reached}`).to.be.lessThan(deadline);
    }
    expect(kills).to.be.greaterThan(0);
    const between = (low: number, high: number): Promise<number> =>
      ask(many.between(low, high, { index: 'part' }).count());
    expect(await between(0, values)).to.equal(rows - rows / failing);
    expect(await between(7, 8)).to.equal(rows / values);
    await end(served);
  }).timeout(120_000);
});
