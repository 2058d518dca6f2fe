import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { containerProcess } from '../../k8s/local/cluster/chaos.ts';
import { signalProcess } from '../../k8s/local/host/processes.ts';
import { podField, until } from './cluster-under-test.ts';
import { connectWhenServing, startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

/**
 * What was acknowledged is there, whatever happens to the process: twenty times SIGKILL while writes are
 * acknowledged, with a ledger outside of the database.
 */
const rounds = 20;
const writers = 4;
/** Acknowledged writes in each round before the process is killed. */
const writesPerRound = 25;

interface Entry {
  readonly id: number;
  readonly value: string;
}

describe('a database whose process is killed', () => {
  let photon: Photon;
  const ledger = new Map<number, string>();
  let nextId = 0;

  before(async function start() {
    this.timeout(300_000);
    photon = await startPhoton(`e2e-kill-${process.pid}`);
    const connection = await connectWhenServing(photon);
    await r.db('test').tableCreate('ledger').run(connection);
    await connection.close();
  });

  after(async function stop() {
    this.timeout(60_000);
    await photon?.stop();
  });

  /** Writes until the connection breaks; only what was acknowledged goes into the ledger. */
  async function write(connection: Connection): Promise<void> {
    for (;;) {
      const entry: Entry = { id: nextId++, value: `value ${nextId} `.repeat(20) };
      const result = await r.db('test').table('ledger').insert(entry).run(connection);
      if (result.inserted === 1) ledger.set(entry.id, entry.value);
    }
  }

  async function round(): Promise<void> {
    const connection = await connectWhenServing(photon);
    connection.on('error', () => undefined);
    const before = ledger.size;
    const running = Array.from({ length: writers }, () => write(connection).catch(() => undefined));
    await until('acknowledged writes', () => ledger.size >= before + writesPerRound);
    const field = '{.status.containerStatuses[0].containerID}';
    const id = await podField(photon.cluster, photon.pod, field, photon.namespace);
    signalProcess(containerProcess(id), 'SIGKILL');
    await Promise.all(running);
    await connection.close({ noreplyWait: false }).catch(() => undefined);
    await until(
      'the container to be ready again',
      async () => {
        const state = `${field} {.status.containerStatuses[0].ready}`;
        const [now, ready] = (
          await podField(photon.cluster, photon.pod, state, photon.namespace)
        ).split(' ');
        return now !== id && ready === 'true';
      },
      60_000,
    );
  }

  it(`has every acknowledged write after ${rounds} kills`, async function kills() {
    this.timeout(rounds * 30_000);
    for (let count = 0; count < rounds; count++) await round();
    const connection = await connectWhenServing(photon);
    const cursor = await r.db('test').table('ledger').run(connection);
    const found = new Map((await cursor.toArray<Entry>()).map(({ id, value }) => [id, value]));
    await connection.close();
    const lost = [...ledger].filter(([id, value]) => found.get(id) !== value);
    expect(lost).to.deep.equal([]);
    expect(ledger.size).to.be.at.least(rounds * writesPerRound);
    // A write that was under way at a kill may be there or not; there is no other writer.
    expect(found.size).to.be.at.most(ledger.size + rounds * writers);
    const restarts = '{.status.containerStatuses[0].restartCount}';
    expect(
      Number(await podField(photon.cluster, photon.pod, restarts, photon.namespace)),
    ).to.be.at.least(rounds);
  });
});
