import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { globalOptionTable } from '../dataplane/query/global-options.ts';
import { referencePage } from '../dataplane/query/reference-page.ts';
import { definitions } from '../dataplane/query/terms/all.ts';

describe('the reference of ReQL', () => {
  it('is that of the table of terms (`npm run generate` writes it)', () => {
    expect(readFileSync('docs/reference/reql.md', 'utf8')).to.equal(referencePage());
  });

  it('has a line for each option of each term and of a query', () => {
    const tables = [...definitions.values()].flatMap(({ options }) =>
      options === undefined ? [] : [options.table],
    );
    const count = [...tables, globalOptionTable].reduce(
      (sum, table) => sum + Object.keys(table).length,
      0,
    );
    const lines = referencePage()
      .split('\n')
      .filter((line) => /^\| (`\w+` \| )?`\w+`( \*)? \|/.test(line));
    expect(lines.length).to.equal(count);
  });
});
