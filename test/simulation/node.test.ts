import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { MemoryDisk } from '../../dataplane/disk/memory-disk.ts';
import { MemoryStore } from '../../dataplane/kv/memory-store.ts';
import { Term } from '../../dataplane/query/term-table.ts';
import { DataOfNode, fingerprint } from './node/data-of-node.ts';
import type { Medium } from './node/data-of-node.ts';
import { VirtualClock } from './virtual-clock.ts';

const table = [Term.TABLE, ['t']];
const clients = 4;
const rounds = 30;

interface Run {
  /** What each client got, in the order in which the answers came, with the moment. */
  readonly answers: readonly string[];
  readonly fingerprint: string;
  readonly expired: number;
  readonly scrubs: readonly string[];
  readonly endedAtMs: number;
}

/** One client: writes documents that expire, reads by the index, deletes, and asks for time and chance. */
async function client(node: DataOfNode, random: Prng, answered: (text: string) => void) {
  const { signal } = new AbortController();
  const inSeconds = (seconds: number) => [Term.ADD, [[Term.NOW, []], seconds]];
  for (let round = 0; round < rounds; round += 1) {
    await node.clock.sleep(random.below(2_000), signal);
    const id = random.below(20);
    const terms: readonly unknown[] = [
      [Term.INSERT, [table, { id, n: random.below(9), ends: inSeconds(random.below(60)) }]],
      [Term.INSERT, [table, { n: random.below(9) }]],
      [Term.GET_ALL, [table, random.below(9)], { index: 'n' }],
      [Term.DELETE, [[Term.GET, [table, id]]]],
      [
        Term.MAKE_ARRAY,
        [
          [Term.UUID, []],
          [Term.RANDOM, []],
          [Term.NOW, []],
        ],
      ],
      [Term.COUNT, [table]],
    ];
    const answer = await node.run(random.pick(terms));
    answered(`${node.clock.now()} ${JSON.stringify(answer)}`);
  }
}

async function workload(medium: Medium, clock: VirtualClock, seed: number): Promise<Run> {
  const random = new Prng(seed);
  const answers: string[] = [];
  const node = await DataOfNode.open(medium, clock, random.below(2 ** 32));
  for (const term of [
    [Term.DB_CREATE, ['test']],
    [Term.TABLE_CREATE, ['t'], { expire_at: 'ends' }],
    [Term.INDEX_CREATE, [table, 'n']],
    [Term.INDEX_WAIT, [table]],
  ])
    answers.push(JSON.stringify(await node.run(term)));
  const all = Array.from({ length: clients }, () => new Prng(random.below(2 ** 32)));
  await Promise.all(all.map((own) => client(node, own, (text) => answers.push(text))));
  const { signal } = new AbortController();
  await clock.sleep(2 * 3_600_000, signal);
  answers.push(JSON.stringify(await node.run([Term.ORDER_BY, [table], { index: 'id' }])));
  const { scrubs, expiry } = node;
  await node.stop();
  const endedAtMs = clock.now();
  return {
    answers,
    scrubs,
    endedAtMs,
    expired: expiry.expired,
    fingerprint: await fingerprint(medium),
  };
}

async function runOf(seed: number): Promise<Run> {
  const clock = new VirtualClock();
  const medium = { store: new MemoryStore(), disk: new MemoryDisk() };
  await medium.disk.makeDirectory('/data/wal');
  return clock.run(workload(medium, clock, seed));
}

describe('a node under virtual time', function node() {
  this.timeout(60_000);

  it('does the same twice, to the byte, with everything that a node does', async () => {
    const [once, again] = [await runOf(7), await runOf(7)];
    expect(again).to.deep.equal(once);
    expect(once.answers).to.have.length(4 + clients * rounds + 1);
    expect(once.expired).to.be.greaterThan(0);
    expect(once.scrubs.length).to.be.greaterThan(1);
    expect(once.scrubs.every((line) => line.endsWith(': 0'))).to.equal(true);
  });

  it('does something else with another seed', async () => {
    const [one, other] = [await runOf(1), await runOf(2)];
    expect(other.fingerprint).not.to.equal(one.fingerprint);
    expect(other.answers).not.to.deep.equal(one.answers);
  });

  it('finds its data again after a restart, hours of virtual time later', async () => {
    const clock = new VirtualClock();
    const medium = { store: new MemoryStore(), disk: new MemoryDisk() };
    await medium.disk.makeDirectory('/data/wal');
    const { answers } = await clock.run(workload(medium, clock, 3));
    const rows = await clock.run(
      (async () => {
        const node = await DataOfNode.open(medium, clock, 4);
        const found = await node.run([Term.ORDER_BY, [table], { index: 'id' }]);
        await node.stop();
        return found;
      })(),
    );
    expect(JSON.stringify(rows)).to.equal(answers.at(-1));
  });

  it('is refused when it waits for something outside of the simulation', async () => {
    const clock = new VirtualClock();
    const forever = Promise.withResolvers<void>().promise;
    const outcome = await clock.run(forever).catch((error: unknown) => (error as Error).message);
    expect(outcome).to.contain('outside');
  });
});
