import { CompileError } from './errors.ts';
import type { Place } from './node.ts';

/** Terms that change something: documents, tables, databases, indexes, users. */
const writes: ReadonlySet<number> = new Set([
  53, 54, 55, 56, 57, 58, 60, 61, 75, 76, 138, 156, 176, 179, 188, 189,
]);

/** Terms over whole sequences: what is inside them may run in any order and any number of times. */
const readers: ReadonlySet<number> = new Set([
  37, 38, 39, 40, 43, 48, 49, 50, 53, 54, 55, 56, 144, 145, 146, 147, 148,
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
