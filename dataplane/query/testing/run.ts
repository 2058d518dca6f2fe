import { createQueryEngine } from '../create-engine.ts';
import type { GlobalOptions, Outcome } from '../engine.ts';
import { CompileError, RuntimeError } from '../errors.ts';
import { MemoryEnvironment } from './memory-environment.ts';

/** The whole answer: rows of all batches for a sequence. */
export async function wholeAnswer(outcome: Outcome, signal: AbortSignal): Promise<unknown> {
  if (outcome.type === 'atom') return JSON.parse(outcome.json) as unknown;
  const rows: unknown[] = [];
  for (;;) {
    const limits = { maxRows: 100, maxBytes: 1_000_000, maxMilliseconds: 500 };
    const batch = await outcome.cursor.next(limits, signal);
    rows.push(...batch.rows.map((row) => JSON.parse(row) as unknown));
    if (batch.done) return rows;
  }
}

/** A query engine over memory, and queries run on it to their end. Terms are raw JSON. */
export class Bench {
  readonly environment = new MemoryEnvironment();
  readonly #engine = createQueryEngine(this.environment);

  async run(
    term: unknown,
    options: GlobalOptions = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<unknown> {
    return wholeAnswer(await this.#engine.run(term, options, { user: 'admin', signal }), signal);
  }

  /** The error that a query ends with: its number (0 when it was refused by the compiler), sentence and place. */
  async failure(term: unknown, options: GlobalOptions = {}): Promise<[number, string, unknown]> {
    try {
      await this.run(term, options);
    } catch (error) {
      if (error instanceof CompileError) return [0, error.message, error.backtrace];
      if (error instanceof RuntimeError) return [error.type, error.message, error.backtrace];
      throw error;
    }
    throw new Error('the query did not fail');
  }

  /** Makes a table of the documents in the database `test` and answers its term. */
  async table(name: string, documents: readonly unknown[]): Promise<unknown> {
    await this.run([60, [name]]);
    const table = [15, [name]];
    if (documents.length > 0) await this.run([56, [table, [2, [...documents]]]]);
    return table;
  }
}

/** `r.expr` of an array. */
export const array = (...items: readonly unknown[]): unknown => [2, items];
/** A function of as many parameters as `body` takes. */
export function fn(body: (...parameters: readonly unknown[]) => unknown, arity = 1): unknown {
  const ids = Array.from({ length: arity }, (_, at) => at + 1);
  return [69, [[2, ids], body(...ids.map((id) => [10, [id]]))]];
}
