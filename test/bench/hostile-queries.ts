import driver from 'rethinkdb';

/**
 * Queries that ask for as much as they can of a node: time without a pause, or memory. Documents of table `t` have
 * `id`, `a` (100 values) and `text`.
 */
interface Query {
  (...args: readonly unknown[]): Query;
  readonly [term: string]: Query;
}

const r = driver as unknown as Query;

const term = (start: Query, name: string, ...args: readonly unknown[]): Query =>
  (start[name] as Query)(...args);

/** `chain(r, ['table', 't'], ['count'])` is `r.table('t').count()`. */
const chain = (start: Query, ...steps: readonly (readonly [string, ...unknown[]])[]): Query =>
  steps.reduce((query, [name, ...args]) => term(query, name, ...args), start);

const range = (count: number): Query => term(r, 'range', count);
const list = (count: number): Query => chain(range(count), ['coerceTo', 'array']);
const field = (row: Query, name: string): Query => row(name);
const table = (): Query => term(r, 'table', 't');
/** A string of so many characters, made by doubling. */
const longText = (doublings: number): Query =>
  chain(range(doublings), ['fold', 'x', (text: Query) => term(text, 'add', text)]);

const queries: Readonly<Record<string, () => Query>> = {
  'inner join of 3,000 x 3,000': () =>
    chain(
      range(3_000),
      ['innerJoin', range(3_000), (a: Query, b: Query) => term(a, 'eq', term(b, 'add', 5_000))],
      ['count'],
    ),
  'soft update of all documents': () =>
    chain(table(), [
      'update',
      (row: Query) => ({ n: chain(field(row, 'a'), ['add', 1]) }),
      { durability: 'soft' },
    ]),
  'maps of arrays within maps': () =>
    chain(
      list(2_000),
      ['map', () => chain(list(2_000), ['map', (x: Query) => term(x, 'mul', 2)], ['count'])],
      ['sum'],
    ),
  'orderBy with a function': () =>
    chain(
      table(),
      ['orderBy', (row: Query) => chain(field(row, 'text'), ['downcase'])],
      ['nth', 0],
    ),
  'fold that appends': () =>
    chain(
      range(100_000),
      ['fold', [], (all: Query, x: Query) => term(all, 'append', x)],
      ['count'],
    ),
  'group by many keys at once': () =>
    chain(
      table(),
      [
        'group',
        (row: Query) =>
          chain(
            range(20),
            ['map', (x: Query) => term(x, 'add', field(row, 'a'))],
            ['coerceTo', 'array'],
          ),
        { multi: true },
      ],
      ['count'],
      ['ungroup'],
      ['count'],
    ),
  'split of a long text': () => chain(longText(24), ['split', ''], ['count']),
  'building of a long text': () => chain(longText(40), ['count']),
  'a stream of texts of 4 MB': () =>
    chain(longText(22), [
      'do',
      (text: Query) => chain(range(100_000), ['map', () => text], ['coerceTo', 'array']),
    ]),
  'distinct of a million': () =>
    chain(range(1_000_000), ['map', (x: Query) => ({ x })], ['distinct'], ['count']),
  'concatMap without an end': () => chain(range(1e9), ['concatMap', () => list(1_000)], ['count']),
  'regular expressions over a long text': () =>
    chain(longText(20), [
      'do',
      (text: Query) =>
        chain(range(1_000), ['map', () => term(text, 'match', '(x+x+)+y')], ['count']),
    ]),
  'toJSON of a large array': () =>
    chain(list(100_000), [
      'do',
      (all: Query) => chain(range(100), ['map', () => chain(all, ['toJSON'], ['count'])], ['sum']),
    ]),
};

const startQuery = 1;
/** Of documents in one insert that is refused at its end. */
const longQueryBytes = 40_000_000;

/** Names and frames' texts; the last one is a query whose text is long itself. */
export function hostileQueries(): ReadonlyMap<string, string> {
  const texts = Object.entries(queries).map(([name, make]): [string, string] => {
    const built = (make() as unknown as { build(): unknown }).build();
    return [name, JSON.stringify([startQuery, built, {}])];
  });
  const long = `[${startQuery},[2,[${'"0123456789abcdef",'.repeat(longQueryBytes / 19)}1]],{}]`;
  return new Map([...texts, ['a query of 40 MB', long]]);
}
