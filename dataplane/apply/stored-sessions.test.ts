import { expect } from 'chai';
import { MemoryStore } from '../kv/memory-store.ts';
import { SessionTable } from '../table/session-table.ts';
import { writeApplied } from './applied-position.ts';
import { park, parkedEntries, sessionsRange } from './parked.ts';
import { readSessions, replaceSessions, SessionChanges } from './stored-sessions.ts';

const group = 7;
const bounds = { sessions: 2, bytes: 10_000, entries: 1_000 };

describe('sessions in the store', () => {
  let store: MemoryStore;
  let table: SessionTable;
  let index = 0;

  beforeEach(() => {
    store = new MemoryStore();
    table = new SessionTable(undefined, bounds);
    index = 0;
  });

  /** One transaction of requests of these sessions, one letter each. */
  const wrote = (ids: string): Promise<void> => {
    const changes = new SessionChanges();
    for (const id of ids) {
      index += 1;
      const session = {
        id,
        sequence: index,
        from: 0,
        outcomes: Uint8Array.of(index),
      };
      changes.add(group, table.record(index, session));
    }
    return store.write((transaction) => changes.write(transaction));
  };

  const stored = (): ReturnType<typeof readSessions> =>
    store.read((view) => readSessions(view, group));

  const expectSame = (): void => {
    const { sessions, crowdedOut } = stored();
    expect(sessions).to.have.length(table.size);
    for (const each of sessions) expect(each).to.deep.equal(table.of(each.id));
    const again = new SessionTable({ sessions, crowdedOut }, bounds);
    expect(again.hasForgotten(index)).to.equal(table.hasForgotten(index));
  };

  it('are those of the table, whichever changes come in one transaction', async () => {
    expect(stored()).to.deep.equal({ sessions: [], crowdedOut: 0 });
    for (const ids of ['a', 'ab', 'ca', 'bcab', 'd', 'dd']) {
      await wrote(ids);
      expectSame();
    }
    expect(stored().crowdedOut).to.be.greaterThan(0);
  });

  it('lie beside entries of a quarantine, which are not taken for them', async () => {
    await wrote('ab');
    await store.write((transaction) =>
      park(transaction, group, {
        index: 3,
        kind: 1,
        payload: Uint8Array.of(1),
      }),
    );
    expectSame();
    expect(store.read((view) => parkedEntries(view, group, { limit: 10 }))).to.have.length(1);
  });

  it('take the place of those that were there', async () => {
    await wrote('abc');
    const before = stored();
    const other = { id: 'z', sequence: 1, index: 2, answers: [] };
    await store.write((transaction) =>
      replaceSessions(transaction, group, { sessions: [other], crowdedOut: 0 }),
    );
    expect(stored()).to.deep.equal({ sessions: [other], crowdedOut: 0 });
    await store.write((transaction) => replaceSessions(transaction, group, before));
    expect(stored()).to.deep.equal(before);
  });

  it('that are damaged end no node: what they had cannot be judged', async () => {
    await wrote('ab');
    await store.write((transaction) => {
      writeApplied(transaction, group, { index: 2, term: 1 });
      const [first] = [...transaction.entries('chunk', sessionsRange(group))];
      if (first === undefined) throw new Error('there are two');
      transaction.put('chunk', first.key, first.value.slice(0, -1));
    });
    expect(stored().sessions).to.have.length(1);
    expect(stored().crowdedOut).to.equal(2);
  });
});
