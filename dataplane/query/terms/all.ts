import type { TermTable } from '../compiled.ts';
import { aggregateTerms } from './aggregate.ts';
import { objectTerms } from './object.ts';
import { scalarTerms } from './scalar.ts';
import { sequenceTerms } from './sequence.ts';
import { tableTerms } from './tables.ts';
import { writeTerms } from './writes.ts';

/** Every term that this version evaluates, by its number; a few more are special forms of compile.ts. */
export const definitions: TermTable = new Map([
  ...scalarTerms,
  ...objectTerms,
  ...sequenceTerms,
  ...aggregateTerms,
  ...tableTerms,
  ...writeTerms,
]);
