import { expect } from 'chai';
import { array, Bench, fn } from '../testing/run.ts';

const bench = new Bench();
const zone = '+00:00';
const time = [136, [2013, 7, 22, 12, 30, 1.5, '+02:00']];
const binary = (data: string): unknown => ({ $reql_type$: 'BINARY', data });

/** Title, term, what it gives. */
const values: readonly (readonly [string, unknown, unknown])[] = [
  ['adds numbers', [24, [1, 2, 3]], 6],
  ['adds texts', [24, ['a', 'b']], 'ab'],
  ['adds arrays', [24, [array(1), array(2)]], [1, 2]],
  ['repeats an array', [26, [array(1, 2), 2]], [1, 2, 1, 2]],
  ['takes the rest with the sign of the first', [28, [-7, 3]], -1],
  ['keeps every bit of large integers', [191, [2 ** 40 + 5, 2 ** 40 + 3]], 2 ** 40 + 1],
  ['turns bits', [194, [5]], -6],
  ['shifts', [195, [1, 40]], 2 ** 40],
  ['rounds away from zero', [185, [-1.5]], -2],
  ['orders by type first', [19, [array(), true, null, 1, {}, 'a']], true],
  ['puts the bounds at the ends', [19, [[180, []], array(), [181, []]]], true],
  ['says what differs', [18, [1, 1, 2]], true],
  ['splits at blanks', [149, [' a  b ']], ['a', 'b']],
  ['splits a few times', [149, ['a,b,c', ',', 1]], ['a', 'b,c']],
  ['splits into letters', [149, ['abc', '']], ['a', 'b', 'c']],
  [
    'matches',
    [97, ['xay', '(a)']],
    { str: 'a', start: 1, end: 2, groups: [{ str: 'a', start: 1, end: 2 }] },
  ],
  [
    'matches by the positions of bytes',
    [97, ['ééx', 'é(x)']],
    { str: 'éx', start: 2, end: 5, groups: [{ str: 'x', start: 4, end: 5 }] },
  ],
  ['changes the case of ASCII alone', [141, ['straße é']], 'STRAßE é'],
  ['keeps the marks of a letter', [149, ['e\u0301a', '']], ['e\u0301', 'a']],
  ['splits at every kind of blank', [149, ['a\u0085b\u2003c']], ['a', 'b', 'c']],
  ['splits a few times at blanks', [149, [' a  b c ', null, 1]], ['a', 'b c ']],
  ['slices by characters', [30, ['a\u{10000}b', 1, 2]], '\u{10000}'],
  ['shifts as far as numbers go', [195, [1, 1_023]], 2 ** 1_023],
  ['shifts negative numbers down', [196, [-5, 1]], -3],
  ['shifts everything out', [196, [-5, 5_000]], -1],
  ['knows the bits of -2^53', [192, [-(2 ** 53), 1]], -(2 ** 53) + 1],
  ['turns the bits of -2^53', [194, [-(2 ** 53)]], 2 ** 53 - 1],
  ['takes one operand of bits', [191, [5]], 5],
  ['has no signed remainder', [172, [[28, [-4, 2]]]], '0'],
  ['keeps the sign of zero in text', [172, [array(-0, [26, [0, -1]])]], '[-0.0,-0.0]'],
  ['sees no difference of zeros', [17, [-0, 0]], true],
  ['reads numbers as scanf does', [51, [' -1.5e2', 'number']], -150],
  ['reads hexadecimal numbers', [51, ['-0xA.8p1', 'number']], -21],
  ['draws a number of the widest range', [151, [-(2 ** 53), 2 ** 53]], 2 ** 21],
  ['draws from a range beyond doubles', [151, [-1.7e308, 1.7e308], { float: true }], 0],
  ['draws downwards', [151, [10, 0], { float: true }], 5],
  [
    'reads pseudo-types in JSON',
    [127, [[98, ['{"$reql_type$":"TIME","epoch_time":1,"timezone":"Z"}']]]],
    '+00:00',
  ],
  ['takes data as it is', [1, [1, { a: [] }]], [1, { a: [] }]],
  ['names UUIDs', [169, ['magic']], '97dd10a5-4fc4-554f-86c5-0d2c2e3d5330'],
  ['reads JSON', [98, ['{"a":[1]}']], { a: [1] }],
  ['changes an object into pairs', [51, [{ a: 1 }, 'array']], [['a', 1]]],
  ['changes pairs into an object', [51, [array(array('a', 1)), 'object']], { a: 1 }],
  ['changes a text into bytes', [51, ['foo', 'binary']], binary('Zm9v')],
  ['counts bytes', [43, [binary('Zm9v')]], 3],
  ['slices bytes', [30, [binary('Zm9v'), 1, 2]], binary('bw==')],
  ['draws a number', [151, [10]], 5],
  ['knows the months', [120, []], 7],
  ['repeats nothing, however often', [26, [[2, []], 2 ** 53]], []],
  ['shows a time', [100, [time]], '2013-07-22T12:30:01.500+02:00'],
  ['takes the hour of its zone', [133, [time]], 12],
  ['changes the zone', [133, [[104, [time, 'Z']]]], 10],
  ['counts the days of the year', [132, [time]], 203],
  ['finds the weekday', [131, [time]], 1],
  ['finds midnight', [100, [[106, [time]]]], '2013-07-22T00:00:00+02:00'],
  ['takes the time of day', [126, [time]], 45_001.5],
  ['subtracts times', [25, [time, [25, [time, 10]]]], 10],
  ['includes the left end', [105, [time, time, [24, [time, 1]]]], true],
  [
    'reads week dates',
    [99, ['2013-W30-1T10Z']],
    { $reql_type$: 'TIME', epoch_time: 1_374_487_200, timezone: zone },
  ],
  ['gives way to a default', [92, [[31, [{}, 'a']], 2]], 2],
  ['gives the reason to a function', [92, [[31, [{}, 'a']], fn(() => 3, 1)]], 3],
  ['stops at the first that is true', [66, [true, [12, ['no']]]], true],
  ['takes one branch', [65, [false, [12, ['no']], 2]], 2],
  ['calls a function', [64, [fn((x) => [24, [x, 1]]), 2]], 3],
];

/** Title, term, error number, sentence, place. */
const failures: readonly (readonly [string, unknown, number, string, unknown])[] = [
  ['operands at the term', [24, [1, 'a']], 3_000_000, 'Expected type NUMBER but found STRING.', []],
  [
    'arguments at the argument',
    [141, [1]],
    3_000_000,
    'Expected type STRING but found NUMBER.',
    [0],
  ],
  ['null is not there', [141, [null]], 3_100_000, 'Expected type STRING but found NULL.', [0]],
  [
    'a time beyond all calendars',
    [100, [{ $reql_type$: 'TIME', epoch_time: 1e17, timezone: '+00:00' }]],
    3_000_000,
    'Error in time logic: Year is out of valid range: 1400..10000.',
    [],
  ],
  ['division by zero', [27, [1, 0]], 3_000_000, 'Cannot divide by zero.', []],
  [
    'a database is no value',
    [65, [[14, ['test']], 1, 2]],
    3_000_000,
    'Expected type DATUM but found DATABASE:\ndb("test")',
    [],
  ],
  ['what the user raised', [12, ['boom']], 5_000_000, 'boom', []],
  ['no coercion', [51, [array(1), 'number']], 3_000_000, 'Cannot coerce ARRAY to NUMBER.', [0]],
  ['bad base64', binary('A^CD'), 3_000_000, "Invalid base64 character found: '^'.", []],
  ...(
    [
      ['a sum beyond doubles', [145, [array(1.7e308, 1.7e308)]], 'Non-finite number: inf'],
      ['an average beyond doubles', [146, [array(1.7e308, 1.7e308)]], 'Non-finite number: inf'],
      ['a product beyond doubles', [26, [-1.7e308, 10]], 'Non-finite number: -inf'],
      ['text of a number beyond doubles', [51, ['1e999', 'number']], 'Non-finite number: inf'],
      ['text that is almost a number', [51, ['1 ', 'number']], 'Could not coerce `1 ` to NUMBER.'],
      [
        'numbers beyond doubles in JSON',
        [98, ['[-1e999]']],
        'Failed to parse "[-1e999]" as JSON: Number too big to be stored in double.',
      ],
      [
        'half a surrogate pair in JSON',
        [98, ['"\\ud800"']],
        'Failed to parse ""\\ud800"" as JSON: The surrogate pair in string is invalid.',
      ],
      [
        'deep JSON',
        [98, [`${'['.repeat(5_000)}${']'.repeat(5_000)}`]],
        'Value nested too deeply: at most 500 arrays and objects may be inside one another.',
      ],
      [
        'an unknown type in JSON',
        [98, ['[{"$reql_type$":"BINARY","data":"!"}]']],
        "Invalid base64 character found: '!'.",
      ],
      ['an unknown type by pairs', [143, ['$reql_type$', 'X']], 'Unknown $reql_type$ `PTYPE<X>`.'],
      [
        'half a time',
        [33, [{ t: [101, [1]] }, { t: array('$reql_type$') }]],
        'Invalid time object constructed (no field `epoch_time`):\n{\n\t"$reql_type$":\t"TIME"\n}',
      ],
      [
        'bytes that are no text',
        [51, [binary('//4='), 'string']],
        'String `` (truncated) is not a UTF-8 string; Invalid initial byte seen at position 0.',
      ],
      ['bits of 2^53', [191, [2 ** 53, 1]], 'Integer too large: 9007199254740992'],

      ['bits that fall out of doubles', [195, [1, 1_024]], 'Non-finite number: inf'],
      [
        'an expression that is none',
        [97, ['', 'ab\\9']],
        'Error in regexp `ab\\9` (portion `\\9`): invalid escape sequence: \\9',
      ],
      [
        'an integer without bounds',
        [151, [], { float: false }],
        'Generating a random integer requires one or two bounds.',
      ],
      [
        'a bound that is no integer',
        [151, [0.25]],
        'Upper bound (0.25) could not be safely converted to an integer.',
      ],
      [
        'a bound that is too large',
        [151, [0, 2 ** 53 + 2]],
        'Upper bound (9007199254740994) could not be safely converted to an integer.',
      ],
      [
        'splitting too often',
        [149, ['a', null, 100_000]],
        'Error: `split` size argument must be in range [-1, 99999].',
      ],
    ] as const
  ).map(([title, term, reason]) => [title, term, 3_000_000, reason, []] as const),
  ['bits of a fraction', [191, [0.5, 1]], 3_000_000, 'Number not an integer: 0.5', [0]],
  ['keys twice', [98, ['{"a":1,"a":2}']], 3_000_000, 'Duplicate key "a" in JSON.', []],
  [
    'fields of a time',
    [31, [[101, [0]], 'epoch_time']],
    3_000_000,
    'Cannot call `get_field` on objects of type `PTYPE<TIME>`.',
    [0],
  ],
  ['too many arguments', [141, ['a', 'b']], 0, 'Expected 1 argument but found 2.', []],
  ['unknown options', [141, ['a'], { x: 1 }], 0, 'Unrecognized optional argument `x`.', ['x']],
  [
    'terms that are not there',
    [24, [1, [153, ['http://x']]]],
    0,
    'The term HTTP is not implemented in this version of PhotonDB.',
    [1],
  ],
  [
    'r.row in nested functions',
    [38, [array(1), fn(() => [38, [array(1), fn(() => [13, []])]])]],
    0,
    'Cannot use r.row in nested queries.  Use functions instead.',
    [1, 1, 1, 1],
  ],
  [
    'a function of another arity',
    [64, [fn((x) => x), 1, 2]],
    3_000_000,
    'Expected function with 2 arguments but found function with 1 argument.',
    [],
  ],
  ['unknown pseudo-types', { $reql_type$: 'X' }, 3_000_000, 'Unknown $reql_type$ `PTYPE<X>`.', []],
];

describe('terms over values', () => {
  for (const [title, term, expected] of values) {
    it(title, async () => {
      expect(await bench.run(term)).to.deep.equal(expected);
    });
  }

  for (const [title, term, ...expected] of failures) {
    it(`refuse: ${title}`, async () => {
      expect(await bench.failure(term)).to.deep.equal(expected);
    });
  }

  it('have one now in the whole query', async () => {
    expect(
      await bench.run([
        17,
        [
          [103, []],
          [103, []],
        ],
      ]),
    ).to.equal(true);
  });
});
