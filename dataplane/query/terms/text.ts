import { RE2JS, RE2JSSyntaxException } from 're2js';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { Datum, DatumObject } from '../../datum/datum.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic } from '../failure.ts';
import { integerOf, textOf } from '../value.ts';

/** Texts: matching, splitting, case. */

function splitText({ args: [text = null, separator, most], context }: TermCall): Datum {
  const whole = textOf(text);
  const asked = most === undefined ? -1 : integerOf(most);
  const partsMax = context.arrayLimit - 1;
  if (asked < -1 || asked > partsMax)
    throw logic(`Error: \`split\` size argument must be in range [-1, ${partsMax}].`);
  const limit = asked === -1 ? Number.POSITIVE_INFINITY : asked;
  if (separator === undefined || separator === null) return splitBlank(whole, limit);
  const glue = textOf(separator);
  const parts = glue === '' ? lettersOf(whole) : whole.split(glue);
  if (parts.length <= limit) return parts;
  const rest = parts.slice(limit).join(glue);
  return glue === '' && rest === '' ? parts.slice(0, limit) : [...parts.slice(0, limit), rest];
}

/** Characters with the marks that combine with them. */
const lettersOf = (text: string): string[] => text.match(/.\p{M}*/gsu) ?? [];

/** Blanks at the front and runs of blanks separate nothing; the rest keeps its own. */
function splitBlank(whole: string, limit: number): Datum {
  const parts: string[] = [];
  const words = /\p{White_Space}*(\P{White_Space}+)/gu;
  for (let found = words.exec(whole); found !== null; found = words.exec(whole)) {
    const [, word = ''] = found;
    if (parts.length >= limit) return [...parts, whole.slice(words.lastIndex - word.length)];
    parts.push(word);
  }
  return parts;
}

/** The first match of a regular expression (RE2: linear in the text, whatever the expression). */
function match({ args: [text = null, pattern = null] }: TermCall): Datum {
  const source = textOf(text);
  const matcher = expressionOf(textOf(pattern)).matcher(source);
  if (!matcher.find()) return null;
  // Positions are those of bytes.
  const position = (unit: number): number => byteLength(source.slice(0, unit));
  const span = (group: number): Datum => {
    const found = matcher.group(group);
    if (found === null) return null;
    const start = position(matcher.start(group));
    return { str: found, start, end: start + byteLength(found) };
  };
  const groups = Array.from({ length: matcher.groupCount() }, (_, at) => span(at + 1));
  return { ...(span(0) as DatumObject), groups };
}

const byteLength = (text: string): number => encodeUtf8(text).byteLength;

/** Of the library, in the words of RE2 itself. */
const complaints: ReadonlyMap<string, string> = new Map([
  ['missing closing )', 'missing )'],
  ['missing closing ]', 'missing ]'],
  ['invalid repeat count', 'invalid repetition size'],
  ['invalid nested repetition operator', 'bad repetition operator'],
  ['missing argument to repetition operator', 'no argument for repetition operator'],
  ['invalid or unsupported Perl syntax', 'invalid perl operator'],
  ['invalid named capture', 'invalid named capture group'],
]);

function expressionOf(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const portion = error.getPattern() ?? pattern;
    const reason = complaints.get(error.getDescription()) ?? error.getDescription();
    throw logic(`Error in regexp \`${pattern}\` (portion \`${portion}\`): ${reason}: ${portion}`);
  }
}

/** Only letters of ASCII have another case. */
const upperCase = (text: string): string =>
  text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase());
const lowerCase = (text: string): string =>
  text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase());

export const textTerms: readonly TermEntry[] = [
  [Term.MATCH, { arity: [2, 2], run: match }],
  [Term.UPCASE, { arity: [1, 1], run: ({ args: [text] }) => upperCase(textOf(text ?? null)) }],
  [Term.DOWNCASE, { arity: [1, 1], run: ({ args: [text] }) => lowerCase(textOf(text ?? null)) }],
  [Term.SPLIT, { arity: [1, 3], run: splitText }],
];
