import type { Datum } from './datum.ts';

/**
 * One field of a document, read from its canonical text: a search, where parsing makes every value of the
 * document. Guarded invariant: what is answered is what parsing finds. What a search cannot tell is left to
 * parsing: a field behind a nested object, one that holds an object or an array, a name or a text with escapes.
 */
export interface FieldName {
  readonly name: string;
  /** As it stands in the text, with the colon behind it. */
  readonly quoted: string;
}

const [quote, comma, closingBrace, minus, nought, nine] = [0x22, 0x2c, 0x7d, 0x2d, 0x30, 0x39];
/** A longer part of a text keeps all of it in memory. */
const sharedCharacters = 13;

/**
 * What may follow the end of a text. A name that begins so is also found between two texts: "," stands in
 * `"x,",":"`, where it is neither a name nor a text.
 */
const continuesText = /^[,:\]}]/;

/** Undefined for a name that cannot be searched for. */
export function fieldName(name: string): FieldName | undefined {
  // Objects of JavaScript have a meaning of their own for it.
  if (name === '__proto__' || continuesText.test(name)) return undefined;
  const text = JSON.stringify(name);
  return text.length === name.length + 2 ? { name, quoted: `${text}:` } : undefined;
}

/** Undefined when there is no such field, or a search cannot tell. */
export function fieldOfText(text: string, { quoted }: FieldName): Datum | undefined {
  const at = text.indexOf(quoted);
  // A quotation mark behind one of these begins a name: in a text it would be escaped.
  if (at !== 1 && text.charCodeAt(at - 1) !== comma) return undefined;
  const nested = text.indexOf('{', 1);
  if (nested >= 0 && nested < at) return undefined;
  return scalarAt(text, at + quoted.length);
}

function scalarAt(text: string, start: number): Datum | undefined {
  const first = text.charCodeAt(start);
  if (first === minus || (first >= nought && first <= nine)) {
    return Number(text.slice(start, scalarEnd(text, start)));
  }
  if (first === quote) return stringAt(text, start);
  if (text.startsWith('true', start)) return true;
  if (text.startsWith('false', start)) return false;
  return text.startsWith('null', start) ? null : undefined;
}

function scalarEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === comma || unit === closingBrace) return at;
  }
  return text.length;
}

function stringAt(text: string, start: number): string | undefined {
  const end = text.indexOf('"', start + 1);
  const inside = text.slice(start + 1, end);
  if (inside.includes('\\')) return undefined;
  return inside.length < sharedCharacters ? inside : (JSON.parse(`"${inside}"`) as string);
}
