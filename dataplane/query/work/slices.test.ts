import { expect } from 'chai';
import { Term, termNames } from '../term-table.ts';
import { definitions } from '../terms/all.ts';
import { array, Bench, fn } from '../testing/run.ts';

/**
 * No stretch between two pauses handles more than a bound, whatever term it is: each one stands in one of
 * the tables here, so that a new term has to say in which. The clock of these queries stands still, so that
 * units alone end a slice.
 */
const itemCount = 65_536;
const itemsMax = 16_384;
const characterCount = 2_097_152;
const charactersMax = 524_288;

const bench = new Bench();
const limit = { array_limit: 1_000_000 };
const x = fn((item) => item);
const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const list = (term: unknown): unknown => [Term.COERCE_TO, [term, 'array']];
const count = (term: unknown): unknown => [Term.COUNT, [term]];
const range = (size: number): unknown => [Term.RANGE, [size]];
const mapped = (body: (item: unknown) => unknown, size = itemCount): unknown =>
  list([Term.MAP, [range(size), fn(body)]]);
const numbers = list(range(itemCount));
const objects = mapped((item) => ({ id: item, n: 1, left: { a: item }, right: { b: 1 } }));
const texts = mapped((item) => [Term.COERCE_TO, [item, 'string']]);
const pairs = mapped((item) => array([Term.COERCE_TO, [item, 'string']], item));
const nested = mapped((item) => array(item, array(item)));
const doubled = (text: string, size: number): unknown => [
  Term.FOLD,
  [range(Math.log2(size / text.length)), text, fn((made) => [Term.ADD, [made, made]], 2)],
];
/** An object of as many fields. */
const large = [Term.COERCE_TO, [pairs, 'object']];
const letters = doubled('abcd,XY ', characterCount);
const blanks = doubled('        ', characterCount);
const table = [Term.TABLE, ['t']];

interface Case {
  readonly input: unknown;
  readonly term: unknown;
  /** Of what the term handles. */
  readonly stretches: number;
}

const overItems = (input: unknown, term: unknown, times = 1): Case => ({
  input,
  term,
  stretches: (times * itemCount) / itemsMax,
});
const overText = (input: unknown, term: unknown): Case => ({
  input,
  term,
  stretches: characterCount / charactersMax,
});

/** Terms that loop over what they are given. */
const loops: Readonly<Record<string, readonly Case[]>> = {
  MAP: [
    overItems(numbers, count([Term.MAP, [numbers, x]])),
    overItems(numbers, count([Term.MAP, [numbers, numbers, fn((a) => a, 2)]])),
    overItems(null, count([Term.MAP, [range(itemCount), range(itemCount), fn((a) => a, 2)]])),
  ],
  FILTER: [
    overItems(numbers, count([Term.FILTER, [numbers, fn(() => true)]])),
    overItems(objects, count([Term.FILTER, [objects, { n: 2 }]])),
  ],
  CONCAT_MAP: [
    overItems(numbers, count([Term.CONCAT_MAP, [numbers, fn((item) => array(item))]])),
    overItems(null, count([Term.CONCAT_MAP, [range(itemCount), fn((item) => array(item))]])),
  ],
  ORDER_BY: [
    overItems(numbers, count([Term.ORDER_BY, [numbers, fn((item) => [Term.SUB, [0, item]])]])),
    overItems(objects, count([Term.ORDER_BY, [objects, [Term.DESC, ['id']]]])),
  ],
  DISTINCT: [
    overItems(numbers, count([Term.DISTINCT, [numbers]])),
    overItems(nested, count([Term.DISTINCT, [nested]])),
    overItems(numbers, count([Term.DISTINCT, [array(numbers, numbers)]])),
  ],
  UNION: [
    overItems(numbers, count([Term.UNION, [numbers, numbers], { interleave: x }]), 2),
    overItems(null, count([Term.UNION, [range(itemCount), range(itemCount)]]), 2),
    overItems(null, count([Term.UNION, [range(itemCount), range(9)], { interleave: x }])),
  ],
  REDUCE: [overItems(numbers, [Term.REDUCE, [numbers, fn((a) => a, 2)]])],
  COUNT: [
    overItems(numbers, [Term.COUNT, [numbers, fn(() => true)]]),
    overItems(nested, [Term.COUNT, [nested, array()]]),
    overItems(null, [Term.COUNT, [range(itemCount)]]),
    overText(letters, [Term.COUNT, [letters]]),
  ],
  SUM: [overItems(numbers, [Term.SUM, [numbers]])],
  AVG: [overItems(numbers, [Term.AVG, [numbers]])],
  MIN: [overItems(objects, [Term.MIN, [objects, 'n']])],
  MAX: [overItems(numbers, [Term.MAX, [numbers]])],
  GROUP: [
    overItems(numbers, count([Term.UNGROUP, [[Term.GROUP, [numbers, x]]]])),
    overItems(objects, count([Term.UNGROUP, [count([Term.GROUP, [objects, 'n', 'id']])]])),
    overItems(
      null,
      count([
        Term.UNGROUP,
        [
          count([
            Term.GROUP,
            [array({ a: 1 }), fn(() => list(range(400))), fn(() => list(range(400)))],
            { multi: true },
          ]),
        ],
      ]),
    ),
  ],
  INNER_JOIN: [
    overItems(numbers, count([Term.INNER_JOIN, [array(1), numbers, fn(() => false, 2)]])),
  ],
  OUTER_JOIN: [
    overItems(numbers, count([Term.OUTER_JOIN, [array(1), numbers, fn(() => true, 2)]])),
  ],
  EQ_JOIN: [overItems(numbers, count([Term.EQ_JOIN, [numbers, x, table]]))],
  ZIP: [overItems(objects, count([Term.ZIP, [objects]]))],
  CONTAINS: [
    overItems(numbers, [Term.CONTAINS, [numbers, -1]]),
    overItems(numbers, [Term.CONTAINS, [numbers, fn(() => false)]]),
    overItems(numbers, [Term.CONTAINS, [array(numbers), numbers]]),
  ],
  OFFSETS_OF: [overItems(numbers, count([Term.OFFSETS_OF, [numbers, -1]]))],
  DIFFERENCE: [overItems(numbers, count([Term.DIFFERENCE, [numbers, numbers]]), 2)],
  SAMPLE: [overItems(numbers, count([Term.SAMPLE, [numbers, 9]]))],
  FOLD: [
    overItems(numbers, [Term.FOLD, [numbers, 0, fn((a) => a, 2)]]),
    overItems(
      null,
      count([Term.FOLD, [range(itemCount), 0, fn((a) => a, 2)], { emit: fn(() => array(), 3) }]),
    ),
  ],
  RANGE: [overItems(null, [Term.COUNT, [range(itemCount)]])],
  SET_INSERT: [overItems(numbers, count([Term.SET_INSERT, [numbers, 1]]))],
  SET_UNION: [overItems(numbers, count([Term.SET_UNION, [numbers, numbers]]))],
  SET_INTERSECTION: [overItems(numbers, count([Term.SET_INTERSECTION, [numbers, numbers]]))],
  SET_DIFFERENCE: [overItems(numbers, count([Term.SET_DIFFERENCE, [numbers, numbers]]))],
  GET_FIELD: [overItems(objects, count([Term.GET_FIELD, [objects, 'id']]))],
  BRACKET: [overItems(objects, count(field(objects, 'id')))],
  HAS_FIELDS: [overItems(objects, count([Term.HAS_FIELDS, [objects, 'id']]))],
  WITH_FIELDS: [overItems(objects, count([Term.WITH_FIELDS, [objects, 'id']]))],
  PLUCK: [overItems(objects, count([Term.PLUCK, [objects, 'id']]))],
  WITHOUT: [
    overItems(objects, count([Term.WITHOUT, [objects, 'id']])),
    overItems(large, count([Term.WITHOUT, [large, '1']])),
  ],
  MERGE: [
    overItems(objects, count([Term.MERGE, [objects, { a: 1 }]])),
    overItems(large, count([Term.MERGE, [large, { a: 1 }]])),
    overItems(large, count([Term.MERGE, [{ a: 1 }, large]])),
    overItems(objects, [Term.MERGE, [{}, [Term.ARGS, [objects]]]]),
  ],
  OBJECT: [overItems(pairs, [Term.OBJECT, [[Term.ARGS, [[Term.CONCAT_MAP, [pairs, x]]]]]])],
  COERCE_TO: [
    overItems(pairs, [Term.COERCE_TO, [pairs, 'object']]),
    overItems(nested, count([Term.COERCE_TO, [nested, 'string']])),
  ],
  TO_JSON_STRING: [overItems(nested, count([Term.TO_JSON_STRING, [nested]]))],
  EQ: [overItems(numbers, [Term.EQ, [numbers, numbers]])],
  NE: [overItems(nested, [Term.NE, [nested, nested]])],
  LT: [overItems(texts, [Term.LT, [texts, texts]])],
  LE: [overItems(numbers, [Term.LE, [numbers, numbers]])],
  GT: [overItems(numbers, [Term.GT, [numbers, numbers]])],
  GE: [overItems(numbers, [Term.GE, [numbers, numbers]])],
  GET_ALL: [overItems(numbers, count([Term.GET_ALL, [table, [Term.ARGS, [numbers]]]]))],
  JSON: [overItems(nested, count([Term.JSON, [[Term.TO_JSON_STRING, [nested]]]]), 2)],
  UPCASE: [overText(letters, count([Term.UPCASE, [letters]]))],
  DOWNCASE: [overText(letters, count([Term.DOWNCASE, [letters]]))],
  SPLIT: [
    overText(letters, count([Term.SPLIT, [letters, ',']])),
    overText(letters, count([Term.SPLIT, [letters, 'zzz']])),
    overText(letters, count([Term.SPLIT, [letters]])),
    overText(blanks, count([Term.SPLIT, [blanks]])),
    overText(letters, count([Term.SPLIT, [[Term.SLICE, [letters, 0, itemCount]], '']])),
  ],
  SLICE: [overText(letters, [Term.SLICE, [letters, characterCount - 2]])],
  FORMAT: [overText(letters, count([Term.FORMAT, [letters, {}]]))],
  UUID: [overText(letters, [Term.UUID, [letters]])],
};

const words = (...lines: readonly string[]): readonly string[] =>
  lines.flatMap((line) => line.split(' '));

/** Terms that do not: why each stretch of theirs is short. */
const others: Readonly<Record<string, readonly string[]>> = {
  'copies of an array, which `array_limit` bounds': words(
    'APPEND PREPEND INSERT_AT DELETE_AT CHANGE_AT SPLICE_AT ADD MUL',
    'LIMIT SKIP KEYS VALUES ARGS',
  ),
  'one item, one key, one number': words(
    'NTH IS_EMPTY GET BETWEEN BETWEEN_DEPRECATED NOT TYPE_OF INFO',
    'MINVAL MAXVAL SUB DIV MOD FLOOR CEIL ROUND RANDOM ERROR',
    'BIT_AND BIT_OR BIT_XOR BIT_NOT BIT_SAL BIT_SAR LITERAL ASC DESC',
  ),
  'bounded on its own': ['MATCH', 'UNGROUP', 'BINARY'],
  'a time': words(
    'ISO8601 TO_ISO8601 EPOCH_TIME TO_EPOCH_TIME NOW IN_TIMEZONE DURING',
    'DATE TIME_OF_DAY TIMEZONE YEAR MONTH DAY DAY_OF_WEEK DAY_OF_YEAR',
    'HOURS MINUTES SECONDS TIME MONDAY TUESDAY WEDNESDAY THURSDAY',
    'FRIDAY SATURDAY SUNDAY JANUARY FEBRUARY MARCH APRIL MAY JUNE',
    'JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER',
  ),
  'a database, a table, an index': words(
    'DB TABLE DB_CREATE DB_DROP DB_LIST TABLE_CREATE TABLE_DROP SYNC',
    'TABLE_LIST CONFIG STATUS RECONFIGURE REBALANCE WAIT SET_WRITE_HOOK',
    'GET_WRITE_HOOK INDEX_CREATE INDEX_DROP INDEX_LIST INDEX_STATUS INDEX_WAIT',
    'INDEX_RENAME',
  ),
  'writes, in batches that are waited for': words('INSERT UPDATE REPLACE DELETE FOR_EACH'),
};

describe('the slices of a query', () => {
  before(async () => {
    await bench.table('t', [{ id: 1 }]);
  });

  it('are those of every term', () => {
    const known = [...Object.keys(loops), ...Object.values(others).flat()];
    const names = [...definitions.keys()].map((number) => termNames.get(number) ?? '');
    expect(known.sort()).to.deep.equal(names.sort());
  });

  const pausesOf = async (term: unknown): Promise<number> => {
    const before = bench.environment.pauses;
    await bench.run(term, limit);
    return bench.environment.pauses - before;
  };
  for (const [name, cases] of Object.entries(loops))
    for (const [at, { input, term, stretches }] of cases.entries()) {
      it(`are not longer than they may be: ${name}, ${at + 1}`, async () => {
        const inputs = JSON.stringify(term).split(JSON.stringify(input)).length - 1;
        const own =
          (await pausesOf(term)) - inputs * (await pausesOf([Term.TYPE_OF, [input ?? array()]]));
        expect(own).to.be.at.least(Math.floor(stretches) - 1);
      }).timeout(60_000);
    }
});
