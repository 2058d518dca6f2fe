import type { Datum } from '../datum/datum.ts';
import { canonicalText, parseText } from '../datum/text.ts';
import type { ValueText } from '../wire/table-edit.ts';

/**
 * A value as text, which nobody parses where the value is known: in the process that wrote it. A copy of it, as any
 * message has, is its text alone.
 */
class KnownText implements ValueText {
  readonly text: string;
  readonly #datum: Datum;

  constructor(datum: Datum) {
    this.text = canonicalText(datum);
    this.#datum = datum;
  }

  static datumOf(value: ValueText): Datum {
    return #datum in value ? value.#datum : parseText(value.text);
  }
}

export const textOfValue = (datum: Datum): ValueText => new KnownText(datum);

export const valueOfText = (value: ValueText): Datum => KnownText.datumOf(value);
