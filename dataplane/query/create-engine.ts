import { canonicalText } from '../datum/text.ts';
import { compileAny } from './compile-large.ts';
import { noScope } from './scope.ts';
import type { Context } from './compiled.ts';
import { StreamCursor } from './cursor.ts';
import { createEditEngine } from './edit-engine.ts';
import type { GlobalOptions, Outcome, QueryEngine, QueryOrigin } from './engine.ts';
import type { Environment, NodeEnvironment } from './environment.ts';
import { logic, spoken } from './failure.ts';
import { compileFunction } from './function-term.ts';
import { queryOptions, secondsOf } from './global-options.ts';
import type { QueryOptions } from './global-options.ts';
import { compileIndexValues } from './index-function.ts';
import { readInSteps } from './long-text.ts';
import { mapOf, whenDone } from './maybe-async.ts';
import { withSystemDatabase } from './system-database.ts';
import { datumOf } from './value-reading.ts';
import { ArraySelection, DatabaseValue, FunctionValue, isSequence, RowValue } from './value.ts';
import type { Value } from './value.ts';
import type { Item } from './item.ts';
import { itemTextIn, textIn } from './work/answer-text.ts';
import { deadlineIn, Endless } from './work/deadline.ts';
import type { Deadline } from './work/deadline.ts';
import { queryLimits } from './work/limits.ts';
import type { QueryLimits } from './work/limits.ts';
import { MemoryBudget, QueryMemory } from './work/memory.ts';
import { Scheduler } from './work/scheduler.ts';
import { Work } from './work/work.ts';
import { groupsOf, isGrouped } from './terms/grouping.ts';
import { itemsOf, streamFrom } from './terms/sequence-tools.ts';

/** What all queries of an engine share. */
interface Shared {
  readonly environment: Environment;
  readonly scheduler: Scheduler;
  readonly budget: MemoryBudget;
  readonly limits: QueryLimits;
}

/** Queries to answers: compiles, evaluates, and hands out sequences batch by batch. */
export function createQueryEngine(
  environment: NodeEnvironment,
  limits: QueryLimits = queryLimits,
): QueryEngine {
  return createEngine(withSystemDatabase(environment, createEditEngine()), limits);
}

/** Over an environment that has the system database already. */
export function createEngine(environment: Environment, limits: QueryLimits): QueryEngine {
  const shared: Shared = {
    environment,
    scheduler: new Scheduler({
      now: () => limits.clock.now(),
      nextTurn: () => environment.pause(),
    }),
    budget: new MemoryBudget(limits),
    limits,
  };
  return {
    async read(bytes, signal) {
      const memory = new QueryMemory(shared.budget);
      const work = new Work(shared.scheduler, memory, { signal });
      try {
        return { value: await readInSteps(bytes, work), memory };
      } catch (error) {
        memory.close();
        throw spoken(error);
      }
    },
    run(term, options, origin): Outcome | Promise<Outcome> {
      const memory = origin.memory ?? new QueryMemory(shared.budget);
      const failed = (error: unknown): never => {
        memory.close();
        throw spoken(error);
      };
      const ended = (outcome: Outcome): Outcome => {
        if (outcome.type === 'atom') memory.close();
        return outcome;
      };
      try {
        const deadline = deadlineOf(options, origin, limits);
        const session = { user: origin.user, deadline, memory };
        const outcome = deadline.run(() =>
          whenDone(contextOf(shared, options, session), (context) =>
            whenDone(compileAny(term, context), (node) =>
              whenDone(node.run(noScope), (value) => outcomeOf(value, context, deadline)),
            ),
          ),
        );
        return outcome instanceof Promise ? outcome.then(ended, failed) : ended(outcome);
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** What the query asks for, and what the node allows at most. */
function deadlineOf(options: GlobalOptions, origin: QueryOrigin, limits: QueryLimits): Deadline {
  const seconds = secondsOf(options, limits.secondsMax);
  return seconds === 0 ? new Endless(origin) : deadlineIn(seconds, origin.signal, limits.clock);
}

interface Session {
  readonly user: string;
  readonly deadline: Deadline;
  readonly memory: QueryMemory;
}

function contextOf(
  { environment, scheduler }: Shared,
  options: GlobalOptions,
  { user, deadline, memory }: Session,
): Context | Promise<Context> {
  const work = new Work(scheduler, memory, deadline);
  // Each query makes one: plain fields are much quicker than to join objects of them.
  const contextWith = (read: QueryOptions): Context => ({
    environment,
    work,
    deadline,
    user,
    nowMs: environment.now(),
    indexValues: compileIndexValues,
    compileFunction,
    arrayLimit: read.arrayLimit,
    database: read.database,
    termOptions: read.termOptions,
    reachesFunctions: read.reachesFunctions,
  });
  return whenDone(queryOptions(options, contextWith), contextWith);
}

function outcomeOf(value: Value, context: Context, deadline: Deadline): Outcome | Promise<Outcome> {
  const { work } = context;
  if (value instanceof RowValue) return { type: 'atom', json: value.row?.text ?? 'null' };
  if (isGrouped(value)) return groupedText(value, context).then(atom);
  if (value instanceof ArraySelection) return whenDone(arrayText(value.items, work), atom);
  if (isSequence(value) && !Array.isArray(value))
    return { type: 'sequence', cursor: new StreamCursor(streamFrom(value), context, deadline) };
  if (value instanceof FunctionValue || value instanceof DatabaseValue)
    throw logic(
      `Query result must be of type DATUM, GROUPED_DATA, or STREAM (got ${value.errorName}).`,
    );
  return whenDone(textIn(datumOf(value), work), atom);
}

const atom = (json: string): Outcome => ({ type: 'atom', json });

const arrayText = (items: readonly Item[], work: Work | undefined): string | Promise<string> =>
  whenDone(
    mapOf(items, work, (item) => itemTextIn(item, work)),
    (texts) => `[${texts.join(',')}]`,
  );

async function groupedText(
  value: Parameters<typeof groupsOf>[0],
  context: Context,
): Promise<string> {
  const { work } = context;
  const groups = await groupsOf(value, context);
  const pairs: string[] = [];
  for (const { key, value } of groups) {
    const text = isSequence(value)
      ? await arrayText(await itemsOf(value, context), work)
      : await textIn(datumOf(value), work);
    pairs.push(`[${canonicalText(key)},${text}]`);
  }
  return `{"$reql_type$":"GROUPED_DATA","data":[${pairs.join(',')}]}`;
}
