import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { OutcomeUnknownError } from '../replication/errors.ts';
import { AnswerForgottenError } from '../shard/retries.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { EditBatch, EditOutcome } from '../wire/table-edit.ts';
import { batchOf, written } from './testing/edits.ts';
import { nodes, three } from './testing/three-databases.ts';
import type { Three } from './testing/three-databases.ts';

const { signal } = new AbortController();

/** Appends to a list, so that a write that is applied twice shows. */
const appends = (key: string, ...values: readonly string[]): EditBatch['edits'] =>
  values.map((value) => ({
    key: encodeUtf8(key),
    change: { type: 'update', by: { text: value } },
  }));

interface Request {
  readonly sequence: number;
  readonly isRepeated?: boolean;
  readonly id?: string;
}

const batch = (
  edits: EditBatch['edits'],
  { id = 's', sequence, isRepeated = false }: Request,
): EditBatch => ({
  ...batchOf(edits),
  documents: 'none',
  session: { id, sequence, isRepeated },
});

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const resultsOf = (outcomes: readonly EditOutcome[]): string[] =>
  outcomes.map(({ result }) => result);

describe('a write that is repeated', () => {
  let fixture: Three;

  const edit = (
    node: string,
    edits: EditBatch['edits'],
    request: Request,
  ): Promise<readonly EditOutcome[]> => fixture.shard(node).edit(batch(edits, request), signal);

  const listOf = (node: string, key = 'k'): unknown => {
    const text = fixture.outdated(node, key);
    return text === undefined ? undefined : (JSON.parse(text) as { readonly v: string }).v;
  };

  beforeEach(async () => {
    fixture = await three(...nodes);
  });

  it('is answered as before, by each leader to come, and applied once', async () => {
    const edits = appends('k', 'x', 'y');
    const outcomes = await edit('a', edits, { sequence: 1 });
    expect(resultsOf(outcomes)).to.deep.equal(['inserted', 'replaced']);
    for (const node of nodes) {
      fixture.cluster.elect(node);
      await fixture.cluster.settled();
      expect(await edit(node, edits, { sequence: 1, isRepeated: true })).to.deep.equal(outcomes);
      expect(listOf(node)).to.equal('xy');
    }
    expect(resultsOf(await edit('c', edits, { sequence: 2 }))).to.deep.equal([
      'replaced',
      'replaced',
    ]);
    expect(listOf('c')).to.equal('xyxy');
  });

  it('is answered by a leader that starts again, from its store and from its log', async () => {
    const edits = appends('k', 'x');
    const outcomes = await edit('a', edits, { sequence: 1 });
    await fixture.cluster.settled();
    for (const isStored of [true, false]) {
      if (isStored) await fixture.of('b').stop();
      else fixture.kill('b');
      await fixture.open('b');
      fixture.cluster.elect('b');
      await fixture.cluster.settled();
      expect(await edit('b', edits, { sequence: 1, isRepeated: true })).to.deep.equal(outcomes);
      expect(listOf('b')).to.equal('x');
    }
  });

  it('is carried out when the first attempt was lost with its leader, and not when it was not', async () => {
    for (const survivors of [0, 1]) {
      fixture.cluster.elect('a');
      await fixture.cluster.settled();
      fixture.cluster.isHeld = true;
      const request = { id: `s${survivors}`, sequence: 1 };
      const edits = appends(`k${survivors}`, 'x');
      const first = failure(edit('a', edits, request));
      const { group } = fixture.shard('a').options;
      while (!fixture.cluster.hasProposals(group)) await turn();
      fixture.cluster.elect('b', survivors);
      expect(await first).to.be.instanceOf(OutcomeUnknownError);
      fixture.cluster.isHeld = false;
      await fixture.cluster.settled();
      const again = await edit('b', edits, { ...request, isRepeated: true });
      expect(resultsOf(again)).to.deep.equal(['inserted']);
      await fixture.cluster.settled();
      for (const node of nodes) expect(listOf(node, `k${survivors}`)).to.equal('x');
    }
  });

  it('waits for the first attempt where that is still under way', async () => {
    fixture.cluster.isHeld = true;
    const edits = appends('k', 'x');
    const first = edit('a', edits, { sequence: 1 });
    const second = edit('a', edits, { sequence: 1, isRepeated: true });
    const next = edit('a', edits, { sequence: 2 });
    const { group } = fixture.shard('a').options;
    while (!fixture.cluster.hasProposals(group)) await turn();
    for (let turns = 0; turns < 10; turns += 1) await turn();
    fixture.cluster.isHeld = false;
    fixture.cluster.commit();
    expect(resultsOf(await first)).to.deep.equal(['inserted']);
    expect(resultsOf(await second)).to.deep.equal(['inserted']);
    expect(resultsOf(await next)).to.deep.equal(['replaced']);
    expect(listOf('a')).to.equal('xx');
  });

  it('continues behind what was committed of it, of several commands', async () => {
    fixture.kill('a');
    await fixture.open('a', { commandBytesMax: 1 });
    await fixture.cluster.settled();
    fixture.cluster.isHeld = true;
    const edits = [...appends('k', 'x', 'y'), ...appends('l', 'z'), ...appends('k', 'w')];
    const first = failure(edit('a', edits, { sequence: 7 }));
    const { group } = fixture.shard('a').options;
    while (!fixture.cluster.hasProposals(group)) await turn();
    fixture.cluster.elect('b', 2);
    expect(await first).to.be.instanceOf(OutcomeUnknownError);
    fixture.cluster.isHeld = false;
    await fixture.cluster.settled();
    expect([listOf('b'), listOf('b', 'l')]).to.deep.equal(['xy', undefined]);
    const again = await edit('b', edits, { sequence: 7, isRepeated: true });
    expect(resultsOf(again)).to.deep.equal(['inserted', 'replaced', 'inserted', 'replaced']);
    expect([listOf('b'), listOf('b', 'l')]).to.deep.equal(['xyw', 'z']);
  });

  it('keeps the order of its edits: one that changed nothing is not evaluated behind a later one', async () => {
    const key = encodeUtf8('k');
    const of = (v: string): EditBatch['edits'][number] => ({
      key,
      change: written({ id: 'k', v }),
    });
    await edit('a', [of('1')], { sequence: 1 });
    const edits = [of('1'), of('2')];
    const outcomes = await edit('a', edits, { sequence: 2 });
    expect(resultsOf(outcomes)).to.deep.equal(['unchanged', 'replaced']);
    expect(await edit('a', edits, { sequence: 2, isRepeated: true })).to.deep.equal(outcomes);
    expect(listOf('a')).to.equal('2');
  });

  it('gives what the query must evaluate back again, as it is now', async () => {
    await edit('a', appends('k', 'x'), { sequence: 1 });
    const fetched = {
      key: encodeUtf8('k'),
      change: { type: 'fetch', replacesDamage: false },
    } as const;
    const edits = [fetched, ...appends('l', 'y')];
    await edit('a', edits, { sequence: 2 });
    await edit('a', appends('k', 'z'), { id: 't', sequence: 1 });
    const [again, other] = await edit('a', edits, {
      sequence: 2,
      isRepeated: true,
    });
    expect(again).to.include({
      result: 'returned',
      old: '{"id":"k","v":"xz"}',
    });
    expect(other?.result).to.equal('inserted');
    expect(listOf('a', 'l')).to.equal('y');
  });

  it('is refused when it is older than what its session has done, or is another one', async () => {
    await edit('a', appends('k', 'x', 'y'), { sequence: 2 });
    for (const [edits, sequence] of [
      [appends('k', 'x'), 1],
      [appends('k', 'x'), 2],
    ] as const) {
      const refused = await failure(edit('a', edits, { sequence, isRepeated: true }));
      expect(refused).to.be.instanceOf(AnswerForgottenError);
    }
    expect(listOf('a')).to.equal('xy');
  });

  it('has no answer left when that was too large to be kept', async () => {
    const edits = appends('k', 'x'.repeat(100_000));
    const asked = {
      ...batch(edits, { sequence: 1 }),
      documents: 'all',
    } as const;
    const shard: ShardReplica = fixture.shard('a');
    expect(resultsOf(await shard.edit(asked, signal))).to.deep.equal(['inserted']);
    expect(await failure(shard.edit(asked, signal))).to.be.instanceOf(AnswerForgottenError);
    expect(shard.count).to.equal(1);
  });

  it('costs one without a session nothing in the log', async () => {
    const { group } = fixture.shard('a').options;
    await fixture.shard('a').edit(batchOf(appends('k', 'x')), signal);
    const last = fixture.cluster.entriesOf(group).at(-1);
    // Format, keyspace, version, no session, no sequence, one operation: its kind, key, version and body.
    const body = '{"id":"k","v":"x"}'.length;
    expect(last?.payload.byteLength).to.equal(1 + 4 + 8 + 4 + 8 + 4 + (1 + 5 + 8 + 4 + body));
    await edit('a', appends('k', 'y'), { id: 'k3jf8s0d2ab.1', sequence: 1 });
    const withSession = fixture.cluster.entriesOf(group).at(-1)?.payload.byteLength ?? 0;
    expect(withSession - (last?.payload.byteLength ?? 0)).to.be.below(48);
  });
});
