import { answerText } from '../datum/document.ts';
import { canonicalText } from '../datum/text.ts';
import { compile } from './compile.ts';
import { noScope } from './compiled.ts';
import type { Context } from './compiled.ts';
import { StreamCursor } from './cursor.ts';
import type { GlobalOptions, Outcome, QueryEngine, QueryOrigin } from './engine.ts';
import type { Environment } from './environment.ts';
import { logic, spoken } from './failure.ts';
import { compileFunction } from './function-term.ts';
import { queryOptions } from './global-options.ts';
import type { QueryOptions } from './global-options.ts';
import { compileIndexValues } from './index-function.ts';
import type { Stream } from './stream.ts';
import { Turn } from './turn.ts';
import { withSystemDatabase } from './system-database.ts';
import {
  ArraySelection,
  DatabaseValue,
  datumOf,
  FunctionValue,
  isSequence,
  RowValue,
  textOfItem,
} from './value.ts';
import type { Value } from './value.ts';
import { groupsOf, isGrouped } from './terms/grouping.ts';
import { itemsOf, streamFrom } from './terms/sequence-tools.ts';

/** Queries to answers: compiles, evaluates, and hands out sequences batch by batch. */
export function createQueryEngine(world: Environment): QueryEngine {
  const environment = withSystemDatabase(world);
  return {
    run(term, options, origin): Outcome | Promise<Outcome> {
      try {
        const context = contextOf(environment, options, origin);
        const value = compile(term, context).run(noScope);
        const outcome =
          value instanceof Promise
            ? value.then((found) => outcomeOf(found, context))
            : outcomeOf(value, context);
        return outcome instanceof Promise ? outcome.catch(failed) : outcome;
      } catch (error) {
        throw spoken(error);
      }
    },
  };
}

function failed(error: unknown): never {
  throw spoken(error);
}

function contextOf(environment: Environment, options: GlobalOptions, origin: QueryOrigin): Context {
  const turn = new Turn();
  const pause = async (): Promise<void> => {
    await environment.pause();
    turn.begin();
  };
  // Each query makes one: plain fields are much quicker than to join objects of them.
  const contextWith = ({ arrayLimit, database, termOptions }: QueryOptions): Context => ({
    environment: { ...environment, pause },
    turn,
    get signal() {
      return origin.signal;
    },
    user: origin.user,
    nowMs: environment.now(),
    indexValues: compileIndexValues,
    compileFunction,
    arrayLimit,
    database,
    termOptions,
  });
  return contextWith(queryOptions(options, contextWith));
}

function outcomeOf(value: Value, context: Context): Outcome | Promise<Outcome> {
  if (value instanceof RowValue) return { type: 'atom', json: value.row?.text ?? 'null' };
  if (isGrouped(value)) return groupedText(value, context).then(atom);
  if (value instanceof ArraySelection)
    return { type: 'atom', json: `[${value.items.map(textOfItem).join(',')}]` };
  if (isSequence(value) && !Array.isArray(value))
    return {
      type: 'sequence',
      cursor: new StreamCursor(inTurns(streamFrom(value), context), () =>
        context.environment.now(),
      ),
    };
  if (value instanceof FunctionValue || value instanceof DatabaseValue)
    throw logic(
      `Query result must be of type DATUM, GROUPED_DATA, or STREAM (got ${value.errorName}).`,
    );
  return atom(answerText(datumOf(value)));
}

const atom = (json: string): Outcome => ({ type: 'atom', json });

/** Between the batches of an answer the node has time for others. */
const inTurns = (stream: Stream, { turn }: Context): Stream => ({
  next(limit, signal) {
    turn?.begin();
    return stream.next(limit, signal);
  },
  close: () => stream.close(),
});

async function groupedText(
  value: Parameters<typeof groupsOf>[0],
  context: Context,
): Promise<string> {
  const groups = await groupsOf(value, context);
  const pairs: string[] = [];
  for (const { key, value } of groups) {
    const text = isSequence(value)
      ? `[${(await itemsOf(value, context)).map(textOfItem).join(',')}]`
      : answerText(datumOf(value));
    pairs.push(`[${canonicalText(key)},${text}]`);
  }
  return `{"$reql_type$":"GROUPED_DATA","data":[${pairs.join(',')}]}`;
}
