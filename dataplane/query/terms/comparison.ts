import { compareDatum } from '../../datum/compare.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { BoundValue, datumOf, truth } from '../value.ts';
import type { Value } from '../value.ts';

/** Comparison in ReQL's order of all values, with the two bounds at its ends. */
const many = Number.POSITIVE_INFINITY;

const rankOf = (value: Value): number =>
  value instanceof BoundValue ? (value.end === 'minval' ? -1 : 1) : 0;

function compare(left: Value, right: Value): number {
  const [a, b] = [rankOf(left), rankOf(right)];
  return a !== 0 || b !== 0 ? a - b : compareDatum(datumOf(left), datumOf(right));
}

const compares = (holds: (order: number) => boolean): TermDefinition => ({
  arity: [2, many],
  run: ({ args }) =>
    args.slice(1).every((value, before) => holds(compare(args[before] ?? null, value))),
});

const differs = ({ args: [first = null, ...rest] }: TermCall): Value =>
  rest.some((value) => compare(first, value) !== 0);

export const comparisonTerms: readonly TermEntry[] = [
  [Term.EQ, compares((order) => order === 0)],
  [Term.NE, { arity: [2, many], run: differs }],
  [Term.LT, compares((order) => order < 0)],
  [Term.LE, compares((order) => order <= 0)],
  [Term.GT, compares((order) => order > 0)],
  [Term.GE, compares((order) => order >= 0)],
  [Term.NOT, { arity: [1, 1], run: ({ args: [value] }) => !truth(value ?? null) }],
  [Term.MINVAL, { arity: [0, 0], run: () => new BoundValue('minval') }],
  [Term.MAXVAL, { arity: [0, 0], run: () => new BoundValue('maxval') }],
];
