import type { Node, Scope } from './scope.ts';
import { CompileError } from './errors.ts';
import { at } from './node.ts';
import type { Place } from './node.ts';
import { specialTerms } from './special-terms.ts';
import { Term } from './term-table.ts';
import type { Value } from './value.ts';

/**
 * Chained terms (`a.b().c().d()`) nest along one argument, thousands deep in queries that programs write.
 * They are cut into segments that are compiled and evaluated one after the other, from the inside out, so
 * that the stack holds one segment and not the chain. Each segment finds the value of the one inside of it
 * in its scope: every term evaluates that argument first, and once.
 */
const segmentTerms = 50;
const chainMax = 20_000;

/** A term inside of a chain, with its place. */
export interface Link {
  readonly term: unknown;
  readonly place: Place;
}

/** Segments that are compiled already, by their terms; undefined while there is none. */
export type KnownSegments = ReadonlyMap<unknown, unknown> | undefined;

/** Where a long chain is cut, from the outside in; a known segment ends it. */
export function cutsOf(
  { term: outermost, place: start }: Link,
  known: KnownSegments,
): readonly Link[] {
  const cuts: Link[] = [];
  let { term, place }: Link = { term: outermost, place: start };
  for (let length = 1; ; length += 1) {
    const position = chainPosition(term);
    if (position === undefined) return cuts;
    if (length > chainMax)
      throw new CompileError(`Query too deeply nested: a chain has ${chainMax} terms at most.`, []);
    term = (term as readonly [number, readonly unknown[]])[1][position];
    place = at(place, position);
    if (known?.has(term) === true) return cuts;
    if (length % segmentTerms !== 0) continue;
    // The segment begins a stack of its own.
    place = { ...place, depth: start.depth };
    cuts.push({ term, place });
  }
}

/** Whether a chain is cut at all: most are short, and need no places. */
export function isLongChain(outermost: unknown, known: KnownSegments): boolean {
  let term = outermost;
  for (let length = 1; length <= segmentTerms; length += 1) {
    const position = chainPosition(term);
    if (position === undefined) return false;
    term = (term as readonly [number, readonly unknown[]])[1][position];
    if (known?.has(term) === true) return false;
  }
  return true;
}

/** The argument along which a chain goes on: a term that is evaluated first, whatever becomes of it. */
function chainPosition(term: unknown): number | undefined {
  if (!Array.isArray(term)) return undefined;
  const number: unknown = term[0];
  const args: unknown = term[1];
  if (typeof number !== 'number' || !Array.isArray(args)) return undefined;
  if (number === Term.FUNCALL) {
    const isChained = args.length === 2 && termNumber(args[0]) === Term.FUNC;
    return isChained && Array.isArray(args[1]) ? 1 : undefined;
  }
  const isChained = !specialTerms.has(number) || chainedForms.has(number);
  return isChained && Array.isArray(args[0]) ? 0 : undefined;
}

const chainedForms: ReadonlySet<number> = new Set([Term.AND, Term.OR, Term.DEFAULT]);

const termNumber = (term: unknown): unknown =>
  Array.isArray(term) ? (term as unknown[])[0] : term;

/** What came of the segment inside. */
type Inner =
  | { readonly type: 'value'; readonly value: Value }
  | { readonly type: 'error'; readonly error: unknown };

interface SegmentScope extends Scope {
  readonly inner?: Inner;
}

/** Stands for a segment in the one around it. */
export function slotOf(segment: Node): Node {
  const run = (scope: SegmentScope): Value => {
    if (scope.inner?.type === 'value') return scope.inner.value;
    throw scope.inner?.error as Error;
  };
  return { ...segment, run };
}

/** Segments from the inside out as one node. */
export function joined(segments: readonly Node[]): Node {
  const outermost = segments.at(-1) as Node;
  const run = (scope: Scope): Value | Promise<Value> => runFrom(segments, 0, scope);
  return { ...outermost, run };
}

function runFrom(
  segments: readonly Node[],
  first: number,
  scope: SegmentScope,
): Value | Promise<Value> {
  let here = scope;
  const last = segments.length - 1;
  for (let position = first; position < last; position += 1) {
    const inner = outcomeOf(segments[position] as Node, here);
    if (inner instanceof Promise)
      return inner.then((settled) => runFrom(segments, position + 1, { ...scope, inner: settled }));
    here = { ...scope, inner };
  }
  return (segments[last] as Node).run(here);
}

function outcomeOf(segment: Node, scope: Scope): Inner | Promise<Inner> {
  const failed = (error: unknown): Inner => ({ type: 'error', error });
  const valued = (value: Value): Inner => ({ type: 'value', value });
  try {
    const value = segment.run(scope);
    return value instanceof Promise ? value.then(valued, failed) : valued(value);
  } catch (error) {
    return failed(error);
  }
}
