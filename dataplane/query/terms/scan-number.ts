/** Texts as numbers, as C's `scanf` reads a double: decimal, hexadecimal, infinite, or none at all. */
export function scanNumber(text: string): number | undefined {
  const parts = /^\s*(?<sign>[+-]?)(?<digits>.+)$/s.exec(text)?.groups;
  const digits = (parts?.['digits'] ?? '').toLowerCase();
  const size = words.get(digits) ?? decimal(digits) ?? hexadecimal(digits);
  if (size === undefined) return undefined;
  return parts?.['sign'] === '-' ? -size : size;
}

const words: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['nan', Number.NaN],
]);

const decimal = (digits: string): number | undefined =>
  /^(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(digits) ? Number(digits) : undefined;

function hexadecimal(digits: string): number | undefined {
  const groups = /^0x(?<whole>[0-9a-f]*)\.?(?<part>[0-9a-f]*)(?:p(?<power>[+-]?\d+))?$/.exec(
    digits,
  )?.groups;
  const { whole = '', part = '', power = '0' } = groups ?? {};
  if (whole + part === '') return undefined;
  return Number(`0x${whole}${part}`) * 2 ** (Number(power) - 4 * part.length);
}
