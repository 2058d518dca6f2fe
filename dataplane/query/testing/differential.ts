import * as fc from 'fast-check';
import { equalityText } from '../../datum/datum-map.ts';
import type { Datum } from '../../datum/datum.ts';
import { RuntimeError } from '../errors.ts';
import { Term } from '../term-table.ts';
import { answer } from './model.ts';
import { ModelError } from './model-values.ts';
import { data, indexTerms } from './index-term.ts';
import { queryTerm } from './query-term.ts';
import { documents, queries } from './random-query.ts';
import type { Document, Query } from './random-query.ts';
import { Bench } from './run.ts';

/** The engine beside a model of what it should answer, and plans with an index beside those without. */
export const table = [Term.TABLE, ['t']];

/** An engine with a table of these documents and its indexes. */
export type Load = (rows: readonly Document[]) => Promise<(term: unknown) => Promise<unknown>>;

export const inMemory: Load = async (rows) => {
  const bench = new Bench();
  await bench.table('t', rows.map(data));
  for (const term of indexTerms(table)) await bench.run(term);
  return (term) => bench.run(term);
};

/** An answer as a text; every refusal is the same one. */
async function textOf(compute: () => unknown): Promise<string> {
  try {
    return equalityText((await compute()) as Datum);
  } catch (error) {
    if (error instanceof ModelError || error instanceof RuntimeError) return 'refused';
    throw error;
  }
}

export const differential = (load: Load) =>
  fc.asyncProperty(
    documents,
    fc.array(queries, { minLength: 1, maxLength: 8 }),
    async (rows: readonly Document[], asked: readonly Query[]) => {
      const run = await load(rows);
      for (const query of asked) {
        const expected = await textOf(() => answer(rows, query));
        for (const useIndex of [true, false]) {
          const term = queryTerm(query, { table, useIndex });
          const found = await textOf(() => run(term));
          if (found === expected) continue;
          throw new Error(
            `${useIndex ? 'with' : 'without'} an index: ${found}\nmodel: ${expected}\nquery: ${JSON.stringify(query)}\nterm: ${JSON.stringify(term)}`,
          );
        }
      }
    },
  );
