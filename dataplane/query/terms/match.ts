import { RE2JS, RE2JSSyntaxException } from 're2js';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { Datum, DatumObject } from '../../datum/datum.ts';
import type { TermCall } from '../compiled.ts';
import { logic, resourceLimit } from '../failure.ts';
import { textOf } from '../value-reading.ts';

/** `match`: the first match of a regular expression (RE2: linear in the text, whatever the expression). */
export function match({ args: [text = null, pattern = null], context }: TermCall): Datum {
  const source = textOf(text);
  const expression = expressionOf(textOf(pattern));
  const steps = source.length * expression.programSize();
  if (steps > stepsMax)
    throw resourceLimit(
      `Regular expression over limit: a string of ${source.length} characters, and an expression of ${expression.programSize()} instructions; their product is ${stepsMax} at most.  Split the string, or use a shorter expression.`,
    );
  context.work?.spend(steps / stepsPerUnit);
  const matcher = expression.matcher(source);
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

/**
 * The library cannot be interrupted: at worst it looks at each instruction for each character, 70 ns each.
 * Most expressions take a hundredth of that.
 */
const stepsMax = 2 ** 24;
const stepsPerUnit = 16;
/** An expression of so many characters is compiled within some milliseconds. */
const patternMax = 4_096;

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

/** The last expressions: a query asks for the same one for each document. */
const compiled = new Map<string, RE2JS>();
const compiledMax = 64;

function expressionOf(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > patternMax)
    throw resourceLimit(
      `Regular expression over limit: it has ${pattern.length} characters of ${patternMax} at most.`,
    );
  const expression = compile(pattern);
  if (compiled.size >= compiledMax) compiled.clear();
  compiled.set(pattern, expression);
  return expression;
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const portion = error.getPattern() ?? pattern;
    const reason = complaints.get(error.getDescription()) ?? error.getDescription();
    throw logic(`Error in regexp \`${pattern}\` (portion \`${portion}\`): ${reason}: ${portion}`);
  }
}
