import type { Made, PushedScan } from './pushed-scan.ts';
import type { Row } from './table-access.ts';
import type { EditEngine } from './table-edit.ts';

/** Evaluates the operations of one scan. */
export interface ScanRun {
  /** Before the rows of a batch: they share a budget. */
  begin(): void;
  readonly isSpent: boolean;
  /**
   * Undefined when the query must evaluate the row; `later` when the budget does not suffice after all rows before.
   * With a fold, `[]`: it is part of the next state.
   */
  made(row: Row): Made | 'later' | undefined;
  /** With a fold: states of the rows since the last call, each with the row by which it has its place. */
  states(): readonly FoldState[];
}

export interface FoldState {
  readonly row: Row;
  readonly text: string;
}

/** What evaluates the functions of queries for a shard. Compiled functions are cached by their shape. */
export interface ShardEngine extends EditEngine {
  scan(pushed: PushedScan): ScanRun;
}
