import type { Datum, DatumObject } from '../../datum/datum.ts';
import { isObject, objectOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { Term } from '../term-table.ts';
import { datumOf, wrongValue } from '../value-reading.ts';
import { FunctionValue, RowValue, OpaqueValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import { eachAhead } from './sequence-tools.ts';

/** `forEach`: a write for each item, and what all of them did. */

/** The answers of writes added up: numbers as numbers, arrays one behind the other, up to a limit. */
class Statistics {
  readonly #fields = new Map<string, Datum | Datum[]>();
  readonly #arrayLimit: number;
  #isCut = false;

  constructor(arrayLimit: number) {
    this.#arrayLimit = arrayLimit;
  }

  add(part: Datum): void {
    if (!isObject(part)) throw wrongValue('OBJECT', part);
    for (const [name, value] of Object.entries(part)) this.#addField(name, value);
  }

  #addField(name: string, value: Datum): void {
    const before = this.#fields.get(name);
    if (before === undefined)
      this.#fields.set(name, Array.isArray(value) ? [...(value as Datum[])] : value);
    else if (typeof before === 'number' && typeof value === 'number')
      this.#fields.set(name, before + value);
    else if (Array.isArray(before) && Array.isArray(value)) this.#append(before, value as Datum[]);
    else if (typeof before !== 'string' || typeof value !== 'string')
      throw logic(
        `Cannot merge statistics \`${prettyText(before)}\` (type ${typeName(before)}) and \`${prettyText(value)}\` (type ${typeName(value)}).`,
      );
  }

  #append(items: Datum[], more: readonly Datum[]): void {
    for (const item of more) {
      if (items.length >= this.#arrayLimit) {
        this.#isCut = true;
        return;
      }
      items.push(item);
    }
  }

  total(): DatumObject {
    if (this.#isCut) {
      const warning = `Too many changes, array truncated to ${this.#arrayLimit}.`;
      const others = this.#fields.get('warnings') ?? [];
      const all = Array.isArray(others) ? (others as Datum[]) : [];
      if (!all.includes(warning)) this.#fields.set('warnings', [...all, warning]);
    }
    return objectOf(this.#fields);
  }
}

async function forEach({ args: [target = null, each = null], context }: TermCall): Promise<Value> {
  const statistics = new Statistics(context.arrayLimit);
  await eachAhead(target, context, async (item) => {
    const result = each instanceof FunctionValue ? await each.call([datumOfItem(item)]) : each;
    for (const part of writesOf(result)) statistics.add(part);
  });
  return statistics.total();
}

const noWrite = 'FOR_EACH expects one or more basic write queries.';

function writesOf(result: Value): readonly Datum[] {
  if (result instanceof OpaqueValue && !(result instanceof RowValue)) throw logic(noWrite);
  const datum = datumOf(result);
  if (Array.isArray(datum)) return datum as Datum[];
  if (isObject(datum)) return [datum];
  throw logic(`${noWrite}  Expected type ARRAY but found ${typeName(datum)}.`);
}

export const forEachTerms: readonly TermEntry[] = [
  [Term.FOR_EACH, { arity: [2, 2], effects: true, run: forEach }],
];
