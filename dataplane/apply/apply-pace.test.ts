import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import { newFixture, open, put, putMany, withTable } from '../database/testing/fixture.ts';
import type { Fixture } from '../database/testing/fixture.ts';
import type { ApplyStore } from '../kv/store.ts';

/** The store of a fixture, and how many writes it had at once. */
function counting(fixture: Fixture): {
  readonly store: ApplyStore;
  readonly writes: { most: number };
} {
  const writes = { most: 0 };
  let open = 0;
  const { store } = fixture;
  const counted: ApplyStore = {
    read: (body) => store.read(body),
    write: async (body) => {
      open += 1;
      writes.most = Math.max(writes.most, open);
      try {
        return await store.write(body);
      } finally {
        open -= 1;
      }
    },
    flushed: () => store.flushed(),
    statistics: () => store.statistics(),
    close: () => store.close(),
  };
  return { store: counted, writes };
}

const turnsMax = 1_000;

/** Turns of the event loop until it holds; each of them is far shorter than what entries are gathered for. */
async function turnsUntil(holds: () => boolean): Promise<number> {
  let turns = 0;
  for (; !holds() && turns < turnsMax; turns += 1) await turn();
  return turns;
}

describe('entries on their way from the log to the store', () => {
  it('go there together, by the operations that they are', async () => {
    const fixture = newFixture();
    const { store, writes } = counting(fixture);
    const database = await open(fixture, { store, memtableBytesMax: 10_000_000 });
    const group = await withTable(database);
    await database.settled();
    writes.most = 0;
    const rows = (edit: number): [string, string][] =>
      Array.from({ length: 200 }, (_, at) => [`${edit}-${at}`, 'x']);
    await Promise.all(Array.from({ length: 20 }, (_, edit) => putMany(group, rows(edit))));
    await database.settled();
    // Twenty commands, and thirty times the work of a slice.
    expect(writes.most).to.be.greaterThan(20);
    await database.stop();
  });

  it('are not gathered while writers wait for room', async () => {
    const fixture = newFixture();
    const database = await open(fixture, { memtableBytesMax: 10_000 });
    const group = await withTable(database);
    await database.settled();
    let written = 0;
    const large = Array.from({ length: 12 }, async (_, at) => {
      await put(group, `large${at}`, 'x'.repeat(9_000));
      written += 1;
    });
    expect(await turnsUntil(() => written === large.length)).to.be.lessThan(turnsMax);
    await Promise.all(large);
    await database.stop();
  });
});
