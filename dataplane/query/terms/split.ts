import type { Datum } from '../../datum/datum.ts';
import type { TermCall } from '../compiled.ts';
import { logic } from '../failure.ts';
import { after, inSteps } from '../maybe-async.ts';
import { integerOf, textOf } from '../value-reading.ts';
import { pieceCharacters } from '../work/pieces.ts';
import { entryBytes, sizeOf } from '../work/size.ts';
import { overLimit } from './sequence-tools.ts';

/** `split`: a text between separators, between blanks, or letter by letter. */
export function splitText({
  args: [text = null, separator, most],
  context,
}: TermCall): Datum | Promise<Datum> {
  const whole = textOf(text);
  const { arrayLimit, work } = context;
  const asked = most === undefined ? -1 : integerOf(most);
  if (asked < -1 || asked >= arrayLimit)
    throw logic(`Error: \`split\` size argument must be in range [-1, ${arrayLimit - 1}].`);
  const limit = asked === -1 ? Number.POSITIVE_INFINITY : asked;
  const found = partsOf(whole, separator === undefined ? null : separator, limit);
  const parts: string[] = [];
  const done = inSteps(work, () => {
    const { value, done: isLast } = found.next();
    if (isLast === true) return false;
    work?.spend(value === undefined ? unitsPerPiece : 1 + value.length / charactersPerUnit);
    if (value === undefined) return true;
    if (parts.length >= arrayLimit) throw overLimit(context);
    work?.memory.charge(entryBytes + sizeOf(value));
    parts.push(value);
    return true;
  });
  return after<Datum>(done, () => parts);
}

/** Of a piece in which no part ends. */
const unitsPerPiece = 4_096;
const charactersPerUnit = 32;

/** Parts, up to the limit, and behind them the rest; undefined after each piece in which none ends. */
type Parts = Generator<string | undefined, void>;

function partsOf(whole: string, separator: TermCall['args'][number], limit: number): Parts {
  if (separator === null) return words(whole, limit);
  const glue = textOf(separator);
  return glue === '' ? letters(whole, limit) : between(whole, glue, limit);
}

function* between(whole: string, glue: string, limit: number): Parts {
  let [start, from] = [0, 0];
  for (let count = 0; count < limit && from < whole.length;) {
    const piece = whole.slice(from, from + pieceCharacters + glue.length - 1);
    const at = piece.indexOf(glue);
    if (at < 0) {
      from += pieceCharacters;
      yield undefined;
      continue;
    }
    yield whole.slice(start, from + at);
    count += 1;
    start = from + at + glue.length;
    from = start;
  }
  yield whole.slice(start);
}

/** Characters with the marks that combine with them. */
function* letters(whole: string, limit: number): Parts {
  const letter = /.\p{M}*/gsu;
  for (let count = 0; count < limit && letter.lastIndex < whole.length; count += 1)
    yield letter.exec(whole)?.[0];
  if (letter.lastIndex < whole.length) yield whole.slice(letter.lastIndex);
}

/** Blanks at the front and runs of blanks separate nothing; the rest keeps its own. */
function* words(whole: string, limit: number): Parts {
  let start: number | undefined;
  let count = 0;
  for (let at = 0; at < whole.length; at += 1) {
    if (at % pieceCharacters === pieceCharacters - 1) yield undefined;
    const blank = isBlank(whole.charCodeAt(at));
    if (blank && start !== undefined) {
      yield whole.slice(start, at);
      start = undefined;
      count += 1;
    } else if (!blank && start === undefined) {
      start = at;
      if (count >= limit) break;
    }
  }
  if (start !== undefined) yield whole.slice(start);
}

const space = 0x20;

/** White space of Unicode, all of which takes one unit. */
const isBlank = (unit: number): boolean =>
  unit <= space
    ? unit === space || (unit >= 9 && unit <= 13)
    : unit >= 0x85 && /\p{White_Space}/u.test(String.fromCharCode(unit));
