import { CompileError } from './errors.ts';
import { compile, Compiler } from './compile.ts';
import { placeOfArgument, placeOfBody, rootPlace } from './compile-places.ts';
import { isLongChain } from './chain.ts';
import type { Context } from './compiled.ts';
import { isLarge, surveyed } from './large-term.ts';
import type { Survey } from './large-term.ts';
import { whenDone } from './maybe-async.ts';
import { at } from './node.ts';
import type { Place } from './node.ts';
import type { Node } from './scope.ts';
import { termParts } from './term-parts.ts';
import { Term } from './term-table.ts';

/** A term of any size as closures. */
export function compileAny(term: unknown, context: Context): Node | Promise<Node> {
  if (context.work === undefined || !isLarge(term)) return compile(term, context);
  return whenDone(surveyed(term, context), async (survey) => {
    const compiler = new Compiler(context, survey);
    await compileParts(term, { compiler, survey, context });
    return compiler.node(term, rootPlace);
  });
}

/**
 * Compiles the small parts of a large term one after the other, with pauses, so that the compiler finds
 * them done. It goes down to them along those parts that are large themselves. When it meets anything wrong
 * it stops: the compiler finds that again, in the order in which it looks.
 */
async function compileParts(
  term: unknown,
  given: {
    readonly compiler: Compiler;
    readonly survey: Survey;
    readonly context: Pick<Context, 'work'>;
  },
): Promise<void> {
  const { compiler, survey, context } = given;
  const { work } = context;
  const open: Part[] = [{ term, place: rootPlace }];
  try {
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const part of partsOf(next.term, next.place)) {
        if (typeof part.term !== 'object' || part.term === null) continue;
        if (survey.data.has(part.term)) continue;
        if (survey.parts.has(part.term)) open.push(part);
        else compiler.prepare(part.term, part.place);
        work?.spend(unitsPerPart);
        if (work?.isDue === true) await work.pause();
      }
    }
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
  }
}

/** A part has up to two thousand parts of its own, and mostly some dozens. */
const unitsPerPart = 32;

interface Part {
  readonly term: unknown;
  readonly place: Place;
}

/** The parts of a term that the compiler takes as nodes, each at its place. */
function* partsOf(term: unknown, place: Place): Generator<Part> {
  if (typeof term !== 'object' || term === null) return;
  if (!Array.isArray(term)) {
    for (const [name, field] of Object.entries(term))
      yield { term: field as unknown, place: at(place, name) };
    return;
  }
  // A chain is compiled along itself.
  if (isLongChain(term, undefined)) return;
  const parts = termParts(term, place.path);
  if (parts.number === Term.FUNC) {
    yield { term: parts.args[1], place: placeOfBody(parts.args, place) };
    return;
  }
  for (const [position, arg] of parts.args.entries())
    yield { term: arg, place: placeOfArgument(parts.number, place, position) };
}
