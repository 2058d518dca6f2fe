import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { Bench } from '../testing/run.ts';

/** Long enough to be read in steps, and longer than what is read at once. */
const pad = 'x'.repeat(70_000);
const many = Array.from({ length: 9_000 }, (_, id) => `{"id":${id},"n":[1,"a"]}`).join(',');

describe('JSON of any length', () => {
  const bench = new Bench();
  const json = (text: string): unknown => [Term.JSON, [text]];

  it('is read', async () => {
    const time = '{"$reql_type$":"TIME","epoch_time":1,"timezone":"Z"}';
    for (const text of [
      `[${many}]`,
      `{"a":"${pad}","b":[${many}],"__proto__":1}`,
      `["${pad}",1e300,-0.5,"\\ud83d\\ude00",{"10":1,"9":{"a":null}}]`,
    ])
      expect(await bench.run(json(text))).to.deep.equal(JSON.parse(text));
    const typed = [Term.TYPE_OF, [[Term.NTH, [json(`["${pad}",${time}]`), 1]]]];
    expect(await bench.run(typed)).to.equal('PTYPE<TIME>');
  });

  const deep = `${'['.repeat(600)}1${']'.repeat(600)}`;
  const refused: readonly (readonly [string, RegExp])[] = [
    ['1e999', /as JSON: Number too big to be stored in double\.$/],
    ['{"a":[-1e999]}', /as JSON: Number too big to be stored in double\.$/],
    ['"\\ud800"', /as JSON: The surrogate pair in string is invalid\.$/],
    ['{"\\udc00":1}', /as JSON: The surrogate pair in string is invalid\.$/],
    ['{"a":1,"a":2}', /^Duplicate key "a" in JSON\.$/],
    ['{"$reql_type$":"NONE"}', /^Unknown \$reql_type\$ `PTYPE<NONE>`\.$/],
    ['tru', /as JSON: Invalid value\.$/],
    [deep, /500/],
  ];
  for (const [part, expected] of refused)
    it(`is refused as a short one: ${part.slice(0, 30)}`, async () => {
      const [, short] = await bench.failure(json(`["",${part}]`));
      expect(short).to.match(expected);
      for (const text of [`["${pad}",${part}]`, `[${many},${part}]`, `[${part},"${pad}"]`])
        expect((await bench.failure(json(text)))[1]).to.match(expected);
    });

  it('has no name twice, wherever it is cut', async () => {
    for (const text of [`{"a":1,"b":"${pad}","a":2}`, `{"a":"${pad}","b":[${many}],"a":[${many}]}`])
      expect((await bench.failure(json(text)))[1]).to.equal('Duplicate key "a" in JSON.');
  });
});
