import { Term } from './term-table.ts';

/**
 * What a function of two parameters appends to the first of them: `(all, x) => all.append(item)`, where
 * the item does not need what is appended to. Undefined for every other function.
 */
export function appendedItem(parameters: readonly number[], body: unknown): unknown {
  const [all] = parameters;
  if (parameters.length !== 2 || !isTerm(body, Term.APPEND) || body.length !== 2) return undefined;
  const [target, item] = argumentsOf(body);
  if (argumentsOf(body).length !== 2 || !isTerm(target, Term.VAR)) return undefined;
  return argumentsOf(target)[0] === all && !mentions(item, all) ? item : undefined;
}

const isTerm = (term: unknown, number: number): term is readonly unknown[] =>
  Array.isArray(term) && term[0] === number;

const argumentsOf = (term: readonly unknown[]): readonly unknown[] =>
  Array.isArray(term[1]) ? (term[1] as unknown[]) : [];

/** Parts of an item that are looked at: what has more is taken for one that mentions everything. */
const partsMax = 10_000;

function mentions(item: unknown, id: number | undefined): boolean {
  const open: unknown[] = [item];
  for (let parts = 0; open.length > 0; parts += 1) {
    if (parts > partsMax) return true;
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (isTerm(next, Term.VAR) && argumentsOf(next)[0] === id) return true;
    // `r.row` is the parameter of a function of one.
    for (const part of Object.values(next)) open.push(part);
  }
  return false;
}
