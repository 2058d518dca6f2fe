import type { Datum } from '../datum/datum.ts';
import { canonicalText, parseText } from '../datum/text.ts';
import type { ValueText } from '../wire/table-edit.ts';

/**
 * Values as text that is not written before somebody sends it, nor parsed where the value is known. A copy of such
 * an object, as any message has, is its text alone.
 */
const known = Symbol('known datum');

interface KnownText extends ValueText {
  readonly [known]: Datum;
}

export const textOfValue = (datum: Datum): ValueText => {
  const value: KnownText = {
    get text() {
      return canonicalText(datum);
    },
    [known]: datum,
  };
  return value;
};

const isKnown = (value: ValueText): value is KnownText => known in value;

export const valueOfText = (value: ValueText): Datum =>
  isKnown(value) ? value[known] : parseText(value.text);
