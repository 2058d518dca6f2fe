import { expect } from 'chai';
import type { TableAccess } from '../../wire/table-access.ts';
import { Term } from '../term-table.ts';
import { Bench } from '../testing/run.ts';

interface Flight {
  now: number;
  most: number;
}

/** A bench whose tables count the reads of single documents that are under way. */
function counted(): { bench: Bench; flight: Flight } {
  const bench = new Bench();
  const flight = { now: 0, most: 0 };
  const { environment } = bench;
  const open = environment.table.bind(environment);
  environment.table = (id): TableAccess | undefined => {
    const access = open(id);
    if (access === undefined) return undefined;
    const get: TableAccess['get'] = async (key, query) => {
      flight.now += 1;
      flight.most = Math.max(flight.most, flight.now);
      await new Promise((resolve) => setImmediate(resolve));
      flight.now -= 1;
      return access.get(key, query);
    };
    return {
      get,
      scan: access.scan.bind(access),
      scanIndex: access.scanIndex.bind(access),
      count: access.count.bind(access),
      edit: access.edit.bind(access),
      sync: access.sync.bind(access),
    };
  };
  return { bench, flight };
}

const people = Array.from({ length: 500 }, (_, id) => ({ id, name: `person ${id}` }));
const orders = Array.from({ length: 500 }, (_, id) => ({ id, by: (id * 7) % 600 }));

describe('documents of several keys', () => {
  it('are read together, in order, by eqJoin and getAll', async () => {
    const { bench, flight } = counted();
    const left = await bench.table('orders', orders);
    const right = await bench.table('people', people);
    const joined = [Term.EQ_JOIN, [left, 'by', right]];
    const partners = orders.filter(({ by }) => by < people.length);
    expect(await bench.run(joined)).to.deep.equal(
      partners.map((order) => ({ left: order, right: people[order.by] })),
    );
    expect(flight.most).to.be.within(2, 64);
    expect(await bench.run([Term.ZIP, [[Term.LIMIT, [joined, 1]]]])).to.deep.equal([
      { id: 0, by: 0, name: 'person 0' },
    ]);
    const keys = [499, 3, 700, 3, 1];
    const found = await bench.run([Term.GET_ALL, [right, ...keys]]);
    expect(found).to.deep.equal([499, 3, 3, 1].map((id) => people[id]));
  });

  it('are few at a time when they are large', async () => {
    const { bench, flight } = counted();
    const text = 'x'.repeat(300_000);
    const large = Array.from({ length: 30 }, (_, id) => ({ id, text }));
    const right = await bench.table('large', large);
    const left = await bench.table('orders', orders.slice(0, 30));
    const joined = [Term.EQ_JOIN, [left, 'id', right]];
    expect(await bench.run([Term.COUNT, [joined]])).to.equal(30);
    expect(flight.most).to.equal(4);
  });

  it('lack partners without a key, and fail where a key fails', async () => {
    const { bench } = counted();
    const right = await bench.table('people', people.slice(0, 3));
    const rows = [{ id: 1, by: 2 }, { id: 2 }, { id: 3, by: null }, { id: 4, by: 1 }];
    const left = await bench.table('orders', rows);
    expect(await bench.run([Term.COUNT, [[Term.EQ_JOIN, [left, 'by', right]]]])).to.equal(2);
    const by = [
      Term.FUNC,
      [
        [2, [1]],
        [Term.ADD, [[Term.VAR, [1]], 1]],
      ],
    ];
    const [type, message] = await bench.failure([Term.EQ_JOIN, [left, by, right]]);
    expect([type, message]).to.deep.equal([3_000_000, 'Expected type NUMBER but found OBJECT.']);
  });
});
