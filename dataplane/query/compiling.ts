import type { Context } from './compiled.ts';
import type { Node } from './scope.ts';
import type { Place } from './node.ts';

/** What compiles the parts of a term. */
export interface Compiling {
  readonly context: Context;
  node(term: unknown, place: Place): Node;
  /** Each argument at its position, as arguments of terms that evaluate them themselves. */
  nodes(args: readonly unknown[], place: Place): Node[];
}
