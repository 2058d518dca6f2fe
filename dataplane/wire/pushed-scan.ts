import type { EditContext, EditValue, TermFunction, ValueText } from './table-edit.ts';

/**
 * Operations of a query that are evaluated where the rows are. They are data, as edits are. Guarded invariant: whoever
 * has the rows may evaluate the operations on any of them or on none; a row that it leaves alone comes as it is, and
 * the query evaluates it. So an error, which only the query can place, is one of the query.
 */
export interface PushedScan {
  readonly steps: readonly ScanStep[];
  /** What becomes of all that the steps leave; without it, they are answered. */
  readonly fold: ScanFold | undefined;
  readonly context: EditContext;
}

/** Whether less comes of it than its rows: otherwise their evaluation is only moved. */
export const leavesLess = ({ steps, fold }: PushedScan): boolean =>
  fold !== undefined || steps.some(({ type }) => type === 'filter');

/** Terms of one object that are applied to each row, by the names that they have in ReQL. */
export const rowTerms = [
  'pluck',
  'without',
  'with_fields',
  'has_fields',
  'get_field',
  'bracket',
  'merge',
] as const;
export type RowTerm = (typeof rowTerms)[number];

export type ScanStep =
  | {
      readonly type: 'filter';
      /** A predicate, or a pattern. */
      readonly by: EditValue;
      /** A row that lacks a field is left out; otherwise the query decides. */
      readonly skipsMissing: boolean;
    }
  | { readonly type: 'map' | 'concatMap'; readonly by: TermFunction }
  | { readonly type: 'apply'; readonly term: RowTerm; readonly args: readonly ValueText[] };

export const foldTypes = ['count', 'sum', 'avg', 'min', 'max', 'distinct'] as const;
export type FoldType = (typeof foldTypes)[number];

/** Values of many rows as one. */
export interface ScanFold {
  readonly type: FoldType;
  /** A function, the name of a field or (`count`) a value; undefined for the item itself. */
  readonly by: EditValue | undefined;
  readonly group: ScanGroup | undefined;
}

/** The groups of an item: by functions and names of fields. */
export interface ScanGroup {
  readonly by: readonly EditValue[];
  readonly multi: boolean;
}

/**
 * What was made of a row: `kept` for one that passed all steps as it is, else the texts of its values. With a fold, one
 * text for all rows since the part before: its state, or pairs of group and state. None when nothing is left.
 */
export type Made = 'kept' | readonly string[];

/** What a row, or what was made of it, has. */
export function madeBytes({
  text,
  made,
}: {
  readonly text: string;
  readonly made?: Made | undefined;
}): number {
  if (made === undefined || made === 'kept') return text.length;
  return made.reduce((sum, { length }) => sum + length, 0);
}
