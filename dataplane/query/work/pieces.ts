import { after, inSteps } from '../maybe-async.ts';
import type { Work } from './work.ts';

/**
 * Long texts and bytes in pieces, with pauses between them. Where one piece is all there is, everything is
 * there at once.
 */
export const pieceCharacters = 65_536;

/** Where the piece of a text that begins there ends: surrogate pairs stay whole. */
function endOfPiece(text: string, start: number): number {
  const end = start + pieceCharacters;
  if (end >= text.length) return text.length;
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? end - 1 : end;
}

/** Each piece in order; `step` answers true to stop. */
export function eachPiece(
  text: string,
  work: Work | undefined,
  step: (piece: string, start: number) => unknown,
): undefined | Promise<void> {
  let start = 0;
  return inSteps(work, () => {
    if (start >= text.length) return false;
    const end = endOfPiece(text, start);
    work?.spend(unitsPerPiece);
    const stop = step(text.slice(start, end), start);
    start = end;
    return stop !== true;
  });
}

/** Handling a piece takes up to a millisecond. */
const unitsPerPiece = 4_096;

/** A text of what becomes of its pieces. */
export function mappedText(
  text: string,
  work: Work | undefined,
  each: (piece: string) => string,
): string | Promise<string> {
  let result = '';
  const done = eachPiece(text, work, (piece) => void (result += each(piece)));
  return after(done, () => result);
}

const surrogate = /[\ud800-\udbff]/;

const charactersIn = (piece: string): number =>
  surrogate.test(piece) ? Array.from(piece).length : piece.length;

/** Characters, of which some take two units. */
export function countCharacters(text: string, work: Work | undefined): number | Promise<number> {
  let count = 0;
  const done = eachPiece(text, work, (piece) => void (count += charactersIn(piece)));
  return after(done, () => count);
}

/** The part of a text between two characters. */
export function partOfText(
  text: string,
  [from, to]: readonly [number, number],
  work: Work | undefined,
): string | Promise<string> {
  let before = 0;
  let part = '';
  const done = eachPiece(text, work, (piece) => {
    const count = charactersIn(piece);
    if (before + count > from) {
      const range = [Math.max(0, from - before), Math.max(0, to - before)] as const;
      part +=
        count === piece.length
          ? piece.slice(...range)
          : Array.from(piece)
              .slice(...range)
              .join('');
    }
    before += count;
    return before >= to;
  });
  return after(done, () => part);
}
