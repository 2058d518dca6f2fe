import { Term } from './term-table.ts';

/**
 * What a query mainly does, for metrics, from the chain of terms that it ends in, without compiling it.
 * `point` reads one document by its key, `read` reads tables otherwise, `write` changes documents, `admin` is about
 * tables and databases themselves, and `expression` needs no table.
 */
export const queryKinds = ['point', 'read', 'write', 'admin', 'expression'] as const;
export type QueryKind = (typeof queryKinds)[number];

const kindOfTerm: ReadonlyMap<unknown, QueryKind> = new Map<unknown, QueryKind>([
  [Term.GET, 'point'],
  [Term.TABLE, 'read'],
  ...[Term.INSERT, Term.UPDATE, Term.REPLACE, Term.DELETE, Term.FOR_EACH, Term.SYNC].map(
    (term) => [term, 'write'] as const,
  ),
  ...[
    Term.DB_CREATE,
    Term.DB_DROP,
    Term.DB_LIST,
    Term.TABLE_CREATE,
    Term.TABLE_DROP,
    Term.TABLE_LIST,
    Term.INDEX_CREATE,
    Term.INDEX_DROP,
    Term.INDEX_LIST,
    Term.INDEX_RENAME,
    Term.INDEX_STATUS,
    Term.INDEX_WAIT,
    Term.CONFIG,
    Term.STATUS,
    Term.WAIT,
    Term.RECONFIGURE,
    Term.REBALANCE,
    Term.GRANT,
    Term.SET_WRITE_HOOK,
    Term.GET_WRITE_HOOK,
    Term.INFO,
  ].map((term) => [term, 'admin'] as const),
]);

/** A longer chain counts as an expression. */
const chainMax = 256;

/** Of any value that a client may have sent as a term. */
export function kindOfQuery(term: unknown): QueryKind {
  let inner = term;
  for (let depth = 0; depth < chainMax && Array.isArray(inner); depth += 1) {
    const [type, args] = inner as readonly unknown[];
    const kind = kindOfTerm.get(type);
    if (kind !== undefined) return kind;
    if (!Array.isArray(args)) break;
    // `r.do(value, function)` comes with the function first.
    inner = (args as readonly unknown[])[type === Term.FUNCALL && args.length > 1 ? 1 : 0];
  }
  return 'expression';
}
