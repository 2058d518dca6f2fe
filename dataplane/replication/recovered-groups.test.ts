import { expect } from 'chai';
import { entryKind, logOrder } from './entry-kind.ts';
import { MustRejoinError } from './errors.ts';
import type { LogEntry } from './log.ts';
import { RecoveredGroups } from './recovered-groups.ts';
import type { RecoveredMember } from './recovered-groups.ts';
import type { Configuration } from './replicated-group.ts';

const configuration = { voters: ['a', 'b'], outgoing: [], learners: [] };
const record = (index: number, term: number, kind: number = entryKind.command): LogEntry => ({
  group: 1,
  index,
  term,
  kind,
  payload: Uint8Array.of(index),
});

/** What a member continues with, when the log handed this out and its machine has entry `applied`. */
function member(
  records: readonly LogEntry[],
  applied: { readonly index: number; readonly term: number },
  committed = 0,
  members: Configuration = configuration,
): RecoveredMember | MustRejoinError {
  const recovered = new RecoveredGroups();
  for (const each of records) recovered.take(each);
  const last = records.findLast(({ kind }) => kind !== logOrder.truncate);
  const recovery = {
    records: records.length,
    bytes: 0,
    lastIndex: () => last,
    hardState: () => ({ ...record(committed, 9, logOrder.hardState), payload: new Uint8Array() }),
  };
  const start = { applied, configuration: members };
  return recovered.member({ recovery, damaged: new Map() }, 1, start);
}

function logOf(found: RecoveredMember | MustRejoinError): RecoveredMember['log'] {
  if (found instanceof MustRejoinError) throw found;
  return found.log;
}

describe('what a log had of a group', () => {
  it('is not committed by being there, but up to the commit index that was recorded', () => {
    const entries = [record(4, 1), record(5, 1), record(6, 2)];
    const log = logOf(member(entries, { index: 4, term: 1 }, 5));
    expect([log.applied, log.committed, log.last]).to.deep.equal([4, 5, 6]);
    expect(log.termOf(6)).to.equal(2);
  });

  it('ends where it was truncated, and continues from there', () => {
    const order = record(5, 0, logOrder.truncate);
    const log = logOf(
      member([record(4, 1), record(5, 1), record(6, 1), order, record(5, 3)], {
        index: 4,
        term: 1,
      }),
    );
    expect([log.last, log.lastTerm]).to.deep.equal([5, 3]);
  });

  it('begins where it was restarted', () => {
    const order = record(20, 4, logOrder.restart);
    const entries = [record(4, 1), record(5, 1), order, record(21, 4)];
    const log = logOf(member(entries, { index: 20, term: 4 }));
    expect([log.snapshot.index, log.last]).to.deep.equal([20, 21]);
  });

  it('is replaced when the machine has a state that it does not continue', () => {
    const entries = [record(4, 1), record(5, 1), record(6, 1)];
    const found = member(entries, { index: 5, term: 3 });
    expect(logOf(found).last).to.equal(5);
    expect(found).to.have.property('restart').that.deep.includes({ index: 5, term: 3 });
  });

  it('is replaced when it ended after the machine had a state, before any entry of it', () => {
    const found = member([record(0, 0, logOrder.restart)], { index: 165, term: 4 });
    expect(logOf(found).last).to.equal(165);
    expect(found).to.have.property('restart').that.deep.includes({ index: 165, term: 4 });
  });

  it('is forgotten when the replica had moved away, and the vote of its term is kept', () => {
    const nobody = { voters: [], outgoing: [], learners: [] };
    const found = member([record(7, 2), record(8, 2)], { index: 0, term: 0 }, 8, nobody);
    const log = logOf(found);
    expect([log.applied, log.committed, log.last]).to.deep.equal([0, 0, 0]);
    expect(found).to.have.nested.property('hardState.term', 9);
    // What it had acknowledged may be committed since.
    expect(found).to.have.deep.nested.property('hardState.acknowledged', { term: 9, index: 8 });
    expect(found).to.have.property('restart').that.deep.includes({ index: 0, term: 0 });
  });

  it('is forgotten, too, when the log has released all of what the replica was', () => {
    const nobody = { voters: [], outgoing: [], learners: [] };
    const found = member([], { index: 0, term: 0 }, 130, nobody);
    const log = logOf(found);
    expect([log.applied, log.committed, log.last]).to.deep.equal([0, 0, 0]);
    expect(found).to.have.nested.property('hardState.term', 9);
    expect(found).to.have.deep.nested.property('hardState.acknowledged', { term: 9, index: 130 });
    // A member of the group is counted for what it had acknowledged.
    expect(member([], { index: 0, term: 0 }, 130)).to.be.instanceOf(MustRejoinError);
  });

  it('is not forgotten where the machine, the log or the members say that the replica is in use', () => {
    const nobody = { voters: [], outgoing: [], learners: [] };
    const end = [record(7, 2), record(8, 2)];
    // The machine has a state, before which entries are missing.
    expect(member(end, { index: 4, term: 1 }, 8, nobody)).to.be.instanceOf(MustRejoinError);
    // It is one of the members, who count what it had acknowledged.
    expect(member(end, { index: 0, term: 0 }, 8)).to.be.instanceOf(MustRejoinError);
    // The log has all of it: a member that waits for its leader.
    const whole = logOf(member([record(1, 1), record(2, 1)], { index: 0, term: 0 }, 1, nobody));
    expect([whole.committed, whole.last]).to.deep.equal([1, 2]);
  });

  it('lacks something when it begins behind what the machine has, or ends before what was committed', () => {
    const gap = member([record(7, 1), record(8, 1)], { index: 4, term: 1 });
    expect(gap).to.be.instanceOf(MustRejoinError);
    const end = member([record(4, 1), record(5, 1)], { index: 4, term: 1 }, 6);
    expect(end).to.be.instanceOf(MustRejoinError);
  });
});
