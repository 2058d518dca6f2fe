import { answerText } from '../datum/document.ts';
import { canonicalText } from '../datum/text.ts';
import { compile } from './compile.ts';
import { noScope } from './compiled.ts';
import type { Context } from './compiled.ts';
import type { Batch, Cursor, GlobalOptions, Outcome, QueryEngine } from './engine.ts';
import type { BatchLimit, Environment } from './environment.ts';
import { logic, spoken } from './failure.ts';
import { compileFunction } from './function-term.ts';
import { queryOptions } from './global-options.ts';
import { compileIndexValues } from './index-function.ts';
import type { Stream } from './stream.ts';
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
    async run(term, options, session): Promise<Outcome> {
      try {
        const context = contextOf(environment, options, session);
        const value = await compile(term, context).run(noScope);
        return await outcomeOf(value, context);
      } catch (error) {
        throw spoken(error);
      }
    },
  };
}

function contextOf(
  environment: Environment,
  options: GlobalOptions,
  session: { readonly user: string; readonly signal: AbortSignal },
): Context {
  const context = {
    environment,
    signal: session.signal,
    user: session.user,
    nowMs: environment.now(),
    indexValues: compileIndexValues,
    compileFunction,
  };
  return { ...context, ...queryOptions(options, context) };
}

async function outcomeOf(value: Value, context: Context): Promise<Outcome> {
  if (value instanceof RowValue) return { type: 'atom', json: value.row?.text ?? 'null' };
  if (isGrouped(value)) return { type: 'atom', json: await groupedText(value, context) };
  if (value instanceof ArraySelection)
    return { type: 'atom', json: `[${value.items.map(textOfItem).join(',')}]` };
  if (isSequence(value) && !Array.isArray(value))
    return { type: 'sequence', cursor: new StreamCursor(streamFrom(value)) };
  if (value instanceof FunctionValue || value instanceof DatabaseValue)
    throw logic(
      `Query result must be of type DATUM, GROUPED_DATA, or STREAM (got ${value.errorName}).`,
    );
  return { type: 'atom', json: answerText(datumOf(value)) };
}

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

/** Answers of a stream: one batch is read ahead, so that the last one says that it is the last. */
class StreamCursor implements Cursor {
  readonly notes: readonly number[] = [];
  readonly #stream: Stream;
  #ahead: string[] = [];
  #ended = false;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  async next(
    limits: {
      readonly maxRows: number;
      readonly maxBytes: number;
      readonly maxMilliseconds: number;
    },
    signal: AbortSignal,
  ): Promise<Batch> {
    let bytes = this.#ahead.reduce((sum, row) => sum + row.length, 0);
    while (!this.#ended && this.#ahead.length <= limits.maxRows && bytes <= limits.maxBytes) {
      const rows = Math.min(1_000, limits.maxRows + 1 - this.#ahead.length);
      const texts = await this.#pull({ rows, bytes: limits.maxBytes }, signal);
      if (texts === undefined) {
        this.#ended = true;
        break;
      }
      for (const text of texts) {
        bytes += text.length;
        this.#ahead.push(text);
      }
    }
    const count = this.#fitting(limits);
    const rows = this.#ahead.splice(0, count);
    return { rows, done: this.#ended && this.#ahead.length === 0 };
  }

  async #pull(limit: BatchLimit, signal: AbortSignal): Promise<string[] | undefined> {
    try {
      return (await this.#stream.next(limit, signal))?.map(textOfItem);
    } catch (error) {
      throw spoken(error);
    }
  }

  close(): void {
    this.#ended = true;
    this.#ahead = [];
    this.#stream.close();
  }

  /** As many rows as the limits allow, and at least one. */
  #fitting({ maxRows, maxBytes }: { readonly maxRows: number; readonly maxBytes: number }): number {
    let bytes = 0;
    let count = 0;
    for (const row of this.#ahead) {
      bytes += row.length;
      if (count > 0 && (count >= maxRows || bytes > maxBytes)) break;
      count += 1;
    }
    return count;
  }
}
