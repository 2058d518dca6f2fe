import { Term } from './term-table.ts';

/** Terms whose arguments are not all evaluated before them. */
const specialForms = [
  Term.MAKE_ARRAY,
  Term.MAKE_OBJ,
  Term.VAR,
  Term.IMPLICIT_VAR,
  Term.FUNCALL,
  Term.BRANCH,
  Term.OR,
  Term.AND,
  Term.FUNC,
  Term.DEFAULT,
] as const;
export const specialTerms: ReadonlySet<number> = new Set([Term.DATUM, ...specialForms]);
