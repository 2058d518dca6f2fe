import { expect } from 'chai';
import { decodeSessions, encodeSessions, sessionBytesMax, SessionTable } from './session-table.ts';
import type { SessionBounds, SessionChange } from './session-table.ts';

const outcomes = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

describe('the requests that a shard remembers', () => {
  it('are the newest of each session, with all of its outcomes', () => {
    const table = new SessionTable();
    table.record(1, { id: 's', sequence: 1, from: 0, outcomes: outcomes(1) });
    table.record(2, { id: 's', sequence: 2, from: 0, outcomes: outcomes(2) });
    table.record(3, { id: 't', sequence: 9, from: 0, outcomes: outcomes(3) });
    table.record(4, { id: 's', sequence: 2, from: 5, outcomes: outcomes(4) });
    expect(table.of('s')).to.deep.equal({
      id: 's',
      sequence: 2,
      index: 4,
      answers: [
        { from: 0, outcomes: outcomes(2) },
        { from: 5, outcomes: outcomes(4) },
      ],
    });
    expect(table.of('t')?.sequence).to.equal(9);
    expect(table.of('u')).to.equal(undefined);
    expect(table.hasForgotten(5)).to.equal(false);
  });

  it('keep that a request was carried out when its outcomes are too large', () => {
    const table = new SessionTable();
    table.record(1, { id: 's', sequence: 1, from: 0, outcomes: outcomes() });
    expect(table.of('s')?.answers).to.equal(undefined);
    table.record(2, { id: 's', sequence: 1, from: 3, outcomes: outcomes(1) });
    expect(table.of('s')?.answers).to.equal(undefined);
    const half = new Uint8Array(sessionBytesMax / 2);
    table.record(3, { id: 't', sequence: 1, from: 0, outcomes: half });
    expect(table.of('t')?.answers).to.have.length(1);
    table.record(4, { id: 't', sequence: 1, from: 1, outcomes: half });
    expect(table.of('t')?.answers).to.equal(undefined);
  });

  const bounds: SessionBounds = { sessions: 3, bytes: 1_000, entries: 100 };
  const fill = (table: SessionTable, ids: string, from = 1): SessionChange[] =>
    ids.split('').map((id, at) =>
      table.record(from + at, {
        id,
        sequence: from + at,
        from: 0,
        outcomes: outcomes(1),
      }),
    );

  it('are bounded in number: the oldest makes room, and retries of its age cannot be judged', () => {
    const table = new SessionTable(undefined, bounds);
    const changes = fill(table, 'abcad');
    expect(changes.map(({ removed }) => removed)).to.deep.equal([[], [], [], [], ['b']]);
    expect(changes.at(-1)?.crowdedOut).to.equal(2);
    expect(['a', 'b', 'c', 'd'].map((id) => table.of(id)?.index)).to.deep.equal([
      4,
      undefined,
      3,
      5,
    ]);
    expect([6, 101, 102].map((index) => table.hasForgotten(index))).to.deep.equal([
      true,
      true,
      false,
    ]);
  });

  it('are bounded in bytes, and in entries of the log, of which nobody waits for the oldest', () => {
    const full = new SessionTable(undefined, bounds);
    for (const [at, id] of ['a', 'b'].entries())
      full.record(at + 1, {
        id,
        sequence: 1,
        from: 0,
        outcomes: new Uint8Array(900),
      });
    expect(full.size).to.equal(1);
    expect(full.hasForgotten(3)).to.equal(true);
    const old = new SessionTable(undefined, bounds);
    fill(old, 'a');
    expect(fill(old, 'b', 102)[0]?.removed).to.deep.equal(['a']);
    expect(old.hasForgotten(102)).to.equal(false);
  });

  it('are the same on a node that receives them', () => {
    const bound = { ...bounds, sessions: 2 };
    const first = new SessionTable(undefined, bound);
    const records = fill(first, 'abca').map(({ written }) => written);
    const stored = { sessions: records.slice(2).reverse(), crowdedOut: 2 };
    const second = new SessionTable(decodeSessions(encodeSessions(stored)), bound);
    expect(second.hasForgotten(5)).to.equal(true);
    expect(fill(second, 'e', 5)).to.deep.equal(fill(first, 'e', 5));
    expect(decodeSessions(new Uint8Array())).to.deep.equal({
      sessions: [],
      crowdedOut: 0,
    });
  });
});
