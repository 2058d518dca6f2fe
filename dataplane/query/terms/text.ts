import type { TermDefinition, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { textOf } from '../value-reading.ts';
import { mappedText } from '../work/pieces.ts';
import { match } from './match.ts';
import { splitText } from './split.ts';

/** Texts: matching, splitting, case. */

/** Only letters of ASCII have another case. */
const upperCase = (text: string): string =>
  text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase());
const lowerCase = (text: string): string =>
  text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase());

const inCase = (change: (text: string) => string): TermDefinition => ({
  arity: [1, 1],
  run: ({ args: [text = null], context }) => mappedText(textOf(text), context.work, change),
});

export const textTerms: readonly TermEntry[] = [
  [Term.MATCH, { arity: [2, 2], run: match }],
  [Term.UPCASE, inCase(upperCase)],
  [Term.DOWNCASE, inCase(lowerCase)],
  [Term.SPLIT, { arity: [1, 3], run: splitText }],
];
