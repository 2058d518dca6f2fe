import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCases } from './cases.ts';
import { reportOf } from './main.ts';

const file = `desc: a file
table_variable_name: one, two
tests:
    # a comment
    - def: x = r.expr({'a':1})
    - py: x.map(lambda v: v * 2)
      js: x.map(function(v) { return v.mul(2); })
      ot: err("Kind", 'Text: with a colon.', [0])
    - cd:
        - r.expr(1)
        - r.expr(2)
      runopts:
        array_limit: 6
      ot:
        cd: 1
        py: 2
    - js: only(this)
      ot: 3
    - py: |
        r.expr([1,
                2])
      ot: [1, 2]
`;

describe('the reader of polyglot files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'photondb-'));
  const path = join(directory, 'cases.yaml');
  writeFileSync(path, file);
  after(() => rmSync(directory, { recursive: true }));

  it('takes what is written for Python, or for all', () => {
    const { tables, cases } = readCases(path);
    expect(tables).to.deep.equal(['one', 'two']);
    expect(cases.map(({ kind, source, expected }) => [kind, source, expected])).to.deep.equal([
      ['define', "x = r.expr({'a':1})", undefined],
      ['run', 'x.map(lambda v: v * 2)', `err("Kind", 'Text: with a colon.', [0])`],
      ['run', 'r.expr(1)', '2'],
      ['run', 'r.expr(2)', '2'],
      ['run', 'r.expr([1,\n2])', '[1, 2]'],
    ]);
    expect(cases[2]?.options).to.deep.equal({ array_limit: '6' });
  });

  it('counts what was run', () => {
    const { cases } = readCases(path);
    const report = reportOf(cases, [null, 'no', null, null, null]);
    expect(report).to.deep.include({ cases: 4, passed: 3 });
    expect(report.failures.map(({ verdict }) => verdict)).to.deep.equal(['no']);
  });
});
