import type { Datum } from '../../datum/datum.ts';
import { wholeMilliseconds } from '../../datum/pseudo-type.ts';
import { checkedLength, logic } from '../failure.ts';
import { concatenated, overLimit } from './sequence-tools.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import {
  arrayOf,
  datumOf,
  exactText,
  integerOf,
  isExactInteger,
  numberOf,
  wrongDatum,
} from '../value-reading.ts';
import type { Value } from '../value.ts';
import { isTime, secondsOf, timeDatum, timeOf, zoneOf } from './time-value.ts';

/** Numbers: arithmetic, rounding, bits; `add`, `sub` and `mul` take other types too. */
const many = Number.POSITIVE_INFINITY;

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw logic(`Non-finite number: ${Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'}`);
}

/** Operands are judged by the operation: an error stands at the term, not at the operand. */
function operand(value: Value): number {
  const datum = datumOf(value);
  if (typeof datum !== 'number') throw wrongDatum('NUMBER', datum);
  return datum;
}

const fold =
  (step: (a: number, b: number) => number) =>
  (call: TermCall): Datum =>
    call.args.map(operand).reduce((a, b) => finite(step(a, b)));

/** Texts one behind the other. */
function joined(first: string, rest: readonly Value[]): string {
  let text = first;
  for (const value of rest) {
    const part = datumOf(value);
    if (typeof part !== 'string') throw wrongDatum('STRING', part);
    text = checkedLength(text + part);
  }
  return text;
}

function add(call: TermCall): Datum {
  const [first = null, ...rest] = call.args;
  const datum = datumOf(first);
  if (typeof datum === 'string') return joined(datum, rest);
  if (Array.isArray(datum))
    return concatenated([datum as Datum[], ...rest.map(arrayOf)], call.context);
  const position = call.args.findIndex((arg) => isTime(datumOf(arg)));
  if (position < 0) return fold((a, b) => a + b)(call);
  const time = timeOf(call.args[position] ?? null);
  const seconds = call.args
    .map((arg, at) => (at === position ? secondsOf(time) : operand(arg)))
    .reduce((sum, part) => sum + part, 0);
  return timeDatum(seconds, zoneOf(time));
}

function subtract(call: TermCall): Datum {
  const [first = null, ...rest] = call.args;
  const time = datumOf(first);
  if (!isTime(time)) return fold((a, b) => a - b)(call);
  const [second = null] = rest;
  const other = datumOf(second);
  if (isTime(other)) return wholeMilliseconds(secondsOf(time) - secondsOf(other));
  return timeDatum(
    rest.map(operand).reduce((left, part) => left - part, secondsOf(time)),
    zoneOf(time),
  );
}

/** How often an array is repeated: judged by the operation, as operands are. */
function copiesOf(value: Value): number {
  const number = operand(value);
  if (isExactInteger(number)) return number;
  throw logic(`Number not an integer: ${exactText(number)}`);
}

function multiply(call: TermCall): Datum {
  const position = call.args.findIndex((arg) => Array.isArray(arg));
  if (position < 0) return fold((a, b) => a * b)(call);
  const array = arrayOf(call.args[position] ?? null);
  const times = call.args
    .filter((_, at) => at !== position)
    .map(copiesOf)
    .reduce((a, b) => a * b, 1);
  if (times < 0) throw logic('Cannot multiply an ARRAY by a negative number.');
  if (array.length === 0) return [];
  if (array.length * times > call.context.arrayLimit) throw overLimit(call.context);
  return Array.from({ length: times }, () => array).flat();
}

const divide = fold((a, b) => {
  if (b === 0) throw logic('Cannot divide by zero.');
  return a / b;
});

function modulo({ args }: TermCall): Datum {
  const [a, b] = [integerOf(args[0] ?? null), integerOf(args[1] ?? null)];
  if (b === 0) throw logic('Cannot take a number modulo 0.');
  // The remainder of an integer has no signed zero.
  return (a % b) + 0;
}

const rounding = (round: (value: number) => number): TermDefinition => ({
  arity: [1, 1],
  run: ({ args: [value] }) => round(numberOf(value ?? null)),
});

/** Bits of the two's complement of any length: integers below 2^53 keep all of theirs. */
const bits = (step: (a: bigint, b: bigint) => bigint): TermDefinition => ({
  arity: [1, many],
  run: ({ args }) => Number(args.map((arg) => BigInt(bitsOf(arg))).reduce((a, b) => step(a, b))),
});

/** An integer from -2^53 to less than 2^53: of those, all operations give such ones again. */
function bitsOf(value: Value): number {
  const number = integerOf(value);
  if (number < 2 ** 53) return number;
  throw logic(`Integer too large: ${exactText(number)}`);
}

function shift(by: (value: number, places: number) => number): TermDefinition {
  return {
    arity: [2, 2],
    run: ({ args: [value = null, places = null] }) => {
      const [bitsNow, count] = [bitsOf(value), integerOf(places)];
      if (count < 0) throw logic('Cannot bit-shift by a negative value');
      return finite(bitsNow === 0 ? 0 : by(bitsNow, count));
    },
  };
}

/** Twice as much for each place: a double holds it until it is infinite. */
const shiftLeft = (value: number, places: number): number => value * 2 ** Math.min(places, 2_048);
const shiftRight = (value: number, places: number): number =>
  Math.floor(value / 2 ** Math.min(places, 1_000));

export const arithmeticTerms: readonly TermEntry[] = [
  [Term.ADD, { arity: [1, many], run: add }],
  [Term.SUB, { arity: [1, many], run: subtract }],
  [Term.MUL, { arity: [1, many], run: multiply }],
  [Term.DIV, { arity: [1, many], run: divide }],
  [Term.MOD, { arity: [2, 2], run: modulo }],
  [Term.FLOOR, rounding(Math.floor)],
  [Term.CEIL, rounding(Math.ceil)],
  [Term.ROUND, rounding((value) => Math.sign(value) * Math.round(Math.abs(value)))],
  [Term.BIT_AND, bits((a, b) => a & b)],
  [Term.BIT_OR, bits((a, b) => a | b)],
  [Term.BIT_XOR, bits((a, b) => a ^ b)],
  [Term.BIT_NOT, { arity: [1, 1], run: ({ args: [value = null] }) => -bitsOf(value) - 1 }],
  [Term.BIT_SAL, shift(shiftLeft)],
  [Term.BIT_SAR, shift(shiftRight)],
];
