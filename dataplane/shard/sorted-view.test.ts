import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { SortedView } from './sorted-view.ts';

interface Item {
  readonly key: Uint8Array;
  isLive: boolean;
}

/** A view of items that are also in a set, as a plain model of what it should answer. */
function viewOf() {
  const live = new Map<string, Item>();
  let looks = 0;
  const view = new SortedView<Item, Item>({
    all: () => {
      looks += 1;
      return live.values();
    },
    itemsOf: (item) => [item],
    keyOf: ({ key }) => key,
    isLive: ({ isLive }) => isLive,
  });
  const remove = (name: string): void => {
    const item = live.get(name);
    if (item !== undefined) item.isLive = false;
    live.delete(name);
  };
  const add = (name: string): void => {
    remove(name);
    const item = { key: encodeUtf8(name), isLive: true };
    live.set(name, item);
    view.add(item);
  };
  return { live, view, add, remove, looks: () => looks };
}

const namesOf = (items: Iterable<Item>): string[] => [...items].map(({ key }) => decodeUtf8(key));

describe('the sorted view of what comes', () => {
  it('answers what is live, of any range, both ways, after any additions and removals', () => {
    const name = fc.integer({ min: 0, max: 400 }).map((n) => String(n).padStart(3, '0'));
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ does: fc.constant('add'), name }) },
      { weight: 4, arbitrary: fc.record({ does: fc.constant('remove'), name }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('look'), name, other: name }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('forget'), name }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 1_500, size: 'max' }), (steps) => {
        const { live, view, add, remove } = viewOf();
        for (const taken of steps) {
          if (taken.does === 'add') add(taken.name);
          else if (taken.does === 'remove') remove(taken.name);
          else if (taken.does === 'forget') view.forget();
          if (!('other' in taken)) continue;
          const { name: start, other: end } = taken;
          const wanted = [...live.keys()].filter((each) => each >= start && each < end).sort();
          const range = { start: encodeUtf8(start), end: encodeUtf8(end) };
          expect(namesOf(view.range(range, 'ascending'))).to.deep.equal(wanted);
          expect(namesOf(view.range(range, 'descending'))).to.deep.equal(wanted.reverse());
        }
        expect(namesOf(view.range({}, 'ascending'))).to.deep.equal([...live.keys()].sort());
      }),
      { numRuns: 60 },
    );
  });

  it('restarts when much came without a read, and keeps nothing meanwhile', () => {
    const { view, add, remove, looks } = viewOf();
    add('a');
    expect(namesOf(view.range({}, 'ascending'))).to.deep.equal(['a']);
    for (let count = 0; count < 10_000; count += 1) add(`b${count}`);
    for (let count = 0; count < 10_000; count += 1) remove(`b${count}`);
    expect(namesOf(view.range({}, 'ascending'))).to.deep.equal(['a']);
    expect(looks()).to.equal(2);
    add('c');
    expect(namesOf(view.range({}, 'descending'))).to.deep.equal(['c', 'a']);
    expect(looks()).to.equal(2);
  });
});
