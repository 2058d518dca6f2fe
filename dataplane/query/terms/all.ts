import type { TermTable } from '../compiled.ts';
import { aggregateTerms } from './aggregate.ts';
import { arithmeticTerms } from './arithmetic.ts';
import { arrayTerms } from './array.ts';
import { changeTerms } from './change.ts';
import { comparisonTerms } from './comparison.ts';
import { configTerms } from './config.ts';
import { distinctTerms } from './distinct.ts';
import { fieldTerms } from './fields.ts';
import { filterTerms } from './filter.ts';
import { foldTerms } from './fold.ts';
import { forEachTerms } from './for-each.ts';
import { formatTerms } from './format.ts';
import { groupTerms } from './grouping.ts';
import { indexTerms } from './indexes.ts';
import { infoTerms } from './info.ts';
import { insertTerms } from './insert.ts';
import { joinTerms } from './join.ts';
import { mergeTerms } from './merging.ts';
import { orderTerms } from './order.ts';
import { partTerms } from './part.ts';
import { reconfigureTerms } from './reconfigure.ts';
import { selectTerms } from './select.ts';
import { tableTerms } from './tables.ts';
import { textTerms } from './text.ts';
import { timeTerms } from './time.ts';
import { transformTerms } from './transform.ts';
import { unionTerms } from './union.ts';
import { valueTerms } from './values.ts';
import { writeHookTerms } from './write-hooks.ts';

/** Every term that this version evaluates, by its number; a few more are special forms of compile.ts. */
export const definitions: TermTable = new Map([
  ...valueTerms,
  ...comparisonTerms,
  ...arithmeticTerms,
  ...textTerms,
  ...formatTerms,
  ...timeTerms,
  ...arrayTerms,
  ...fieldTerms,
  ...mergeTerms,
  ...transformTerms,
  ...filterTerms,
  ...foldTerms,
  ...unionTerms,
  ...partTerms,
  ...orderTerms,
  ...distinctTerms,
  ...aggregateTerms,
  ...groupTerms,
  ...joinTerms,
  ...selectTerms,
  ...tableTerms,
  ...configTerms,
  ...indexTerms,
  ...infoTerms,
  ...reconfigureTerms,
  ...insertTerms,
  ...changeTerms,
  ...forEachTerms,
  ...writeHookTerms,
]);
