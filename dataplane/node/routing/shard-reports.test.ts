import { expect } from 'chai';
import { joinReports, ledShardsCodec } from './shard-reports.ts';
import type { LedShard } from './shard-reports.ts';

const named = (id: string) => ({ id, name: `node-${id}` });
const wanted = ['a', 'b', 'c'];
const table = {
  id: 't',
  places: [{ primary: named('a'), replicas: wanted.map(named) }],
  voters: [wanted],
};
const ready = (id: string) => ({ id, state: 'ready' }) as const;

/** What is said of the only shard when these nodes answer, of which the first one leads it or none does. */
function statesOf(
  answers: Readonly<Record<string, readonly LedShard[]>>,
  isCurrent = true,
): readonly string[] {
  const reports = { led: new Map(Object.entries(answers)), named, isCurrent };
  const [shard] = joinReports([table], reports).get('t') ?? [];
  const primary = shard?.primary?.name ?? 'none';
  return [primary, ...(shard?.replicas ?? []).map(({ server, state }) => `${server.id} ${state}`)];
}

const led = (...members: LedShard['members'][number][]): readonly LedShard[] => [
  { table: 't', shard: 0, members, voters: members.map(({ id }) => id), outgoing: [] },
];

describe('the reports of the nodes about a shard', () => {
  it('say that all of its replicas are ready', () => {
    const all = { a: led(ready('a'), ready('b'), ready('c')), b: [], c: [] };
    expect(statesOf(all)).to.deep.equal(['node-a', 'a ready', 'b ready', 'c ready']);
  });

  it('say which replica is behind, is to come, is to go, or does not answer', () => {
    const members = [ready('a'), { id: 'b', state: 'backfilling' }, ready('d')] as const;
    expect(statesOf({ a: led(...members), b: [], c: [], d: [] })).to.deep.equal([
      'node-a',
      'a ready',
      'b backfilling',
      'c transitioning',
      'd transitioning',
    ]);
    expect(statesOf({ a: led(...members), b: [] }).slice(2)).to.deep.equal([
      'b backfilling',
      'c disconnected',
      'd disconnected',
    ]);
  });

  it('say that nothing is ready while the places may be old ones', () => {
    const members = [ready('a'), { id: 'b', state: 'backfilling' }, ready('c')] as const;
    const states = statesOf({ a: led(...members), b: [], c: [] }, false);
    expect(states).to.deep.equal(['node-a', 'a transitioning', 'b backfilling', 'c transitioning']);
  });

  it('say what a shard without a leader waits for', () => {
    expect(statesOf({ a: [], b: [] })).to.deep.equal([
      'none',
      'a waiting_for_primary',
      'b waiting_for_primary',
      'c disconnected',
    ]);
    expect(statesOf({ b: [] })).to.deep.equal([
      'none',
      'a disconnected',
      'b waiting_for_quorum',
      'c disconnected',
    ]);
  });

  it('are refused when a field has another type', () => {
    const bad = { shards: [{ table: 't', shard: -1, members: [], voters: [], outgoing: [] }] };
    expect(() => ledShardsCodec.decode(Buffer.from(JSON.stringify(bad)))).to.throw('is not valid');
  });
});
