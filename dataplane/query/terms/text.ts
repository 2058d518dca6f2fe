import { RE2JS } from 're2js';
import type { Datum } from '../../datum/datum.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic } from '../failure.ts';
import { integerOf, textOf } from '../value.ts';

/** Texts: matching, splitting, case. */

function splitText({ args: [text = null, separator, most] }: TermCall): Datum {
  const whole = textOf(text);
  const asked = most === undefined ? -1 : integerOf(most);
  if (asked < -1) throw logic('Error: `split` size argument cannot be negative.');
  const limit = asked === -1 ? Number.POSITIVE_INFINITY : asked;
  if (separator === undefined || separator === null) return splitBlank(whole, limit);
  const glue = textOf(separator);
  const parts = glue === '' ? Array.from(whole) : whole.split(glue);
  if (parts.length <= limit + 1) return parts;
  return [...parts.slice(0, limit), parts.slice(limit).join(glue)];
}

/** Blanks at the front and runs of blanks separate nothing; the rest keeps its own. */
function splitBlank(whole: string, limit: number): Datum {
  const parts: string[] = [];
  let rest = whole.trimStart();
  while (rest !== '') {
    const blank = rest.search(/\s/);
    if (blank < 0 || parts.length >= limit) {
      parts.push(rest);
      break;
    }
    parts.push(rest.slice(0, blank));
    rest = rest.slice(blank).trimStart();
  }
  return parts;
}

/** The first match of a regular expression (RE2: linear in the text, whatever the expression). */
function match({ args: [text = null, pattern = null] }: TermCall): Datum {
  const source = textOf(text);
  let matcher;
  try {
    matcher = RE2JS.compile(textOf(pattern)).matcher(source);
  } catch (error) {
    throw logic(
      `Error in regexp \`${textOf(pattern)}\` (portion \`${textOf(pattern)}\`): ${(error as Error).message}`,
    );
  }
  if (!matcher.find()) return null;
  const span = (group: number): Datum => {
    const found = matcher.group(group);
    if (found === null) return null;
    return { str: found, start: matcher.start(group), end: matcher.end(group) };
  };
  const groups = Array.from({ length: matcher.groupCount() }, (_, at) => span(at + 1));
  return { str: matcher.group() ?? '', start: matcher.start(), end: matcher.end(), groups };
}

export const textTerms: readonly TermEntry[] = [
  [Term.MATCH, { arity: [2, 2], run: match }],
  [Term.UPCASE, { arity: [1, 1], run: ({ args: [text] }) => textOf(text ?? null).toUpperCase() }],
  [Term.DOWNCASE, { arity: [1, 1], run: ({ args: [text] }) => textOf(text ?? null).toLowerCase() }],
  [Term.SPLIT, { arity: [1, 3], run: splitText }],
];
