import { CompileError } from './errors.ts';
import type { Place } from './node.ts';
import { Term } from './term-table.ts';

/** Terms that change something: documents, tables, databases, indexes, users. */
const writes: ReadonlySet<number> = new Set([
  Term.UPDATE,
  Term.DELETE,
  Term.REPLACE,
  Term.INSERT,
  Term.DB_CREATE,
  Term.DB_DROP,
  Term.TABLE_CREATE,
  Term.TABLE_DROP,
  Term.INDEX_CREATE,
  Term.INDEX_DROP,
  Term.SYNC,
  Term.INDEX_RENAME,
  Term.RECONFIGURE,
  Term.REBALANCE,
  Term.GRANT,
  Term.SET_WRITE_HOOK,
]);

/** Terms over whole sequences: what is inside them may run in any order and any number of times. */
const readers: ReadonlySet<number> = new Set([
  Term.REDUCE,
  Term.MAP,
  Term.FILTER,
  Term.CONCAT_MAP,
  Term.COUNT,
  Term.INNER_JOIN,
  Term.OUTER_JOIN,
  Term.EQ_JOIN,
  Term.UPDATE,
  Term.DELETE,
  Term.REPLACE,
  Term.INSERT,
  Term.GROUP,
  Term.SUM,
  Term.AVG,
  Term.MIN,
  Term.MAX,
]);

export const refusesWrites = (term: number): boolean => readers.has(term);

export function refuseNestedWrite(term: number, { readOnly, path }: Place): void {
  if (readOnly && writes.has(term)) {
    throw new CompileError(
      'Cannot nest writes or meta ops in stream operations.  Use FOR_EACH instead.',
      path,
    );
  }
}
