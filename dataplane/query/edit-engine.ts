import { compareDatum } from '../datum/compare.ts';
import type { Datum } from '../datum/datum.ts';
import { documentText } from '../datum/document.ts';
import { isDue } from '../datum/due.ts';
import { parseText } from '../datum/text.ts';
import type {
  Change,
  Conflict,
  Edit,
  EditBatch,
  EditContext,
  EditEngine,
  EditRun,
  EditValue,
  Evaluation,
  TermFunction,
} from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import { conflictArguments, duplicateKey, replaced, storable, updated } from './document-change.ts';
import { CompileError, NotEvaluableError } from './errors.ts';
import { documentFuelOf, OutOfFuelError } from './fuel.ts';
import { FunctionCache } from './function-cache.ts';
import { merged } from './terms/merging.ts';
import { datumOf } from './value.ts';
import { valueOfText } from './value-text.ts';
import type { Value } from './value.ts';
import { hookArrayLimit, hookedBy } from './write-hook.ts';
import type { Hooked } from './write-hook.ts';

/**
 * Evaluates edits for a shard. Guarded invariants: what comes of an edit follows from its document, the edit and
 * its batch alone; an evaluation ends (`fuel.ts`); every document that it makes was checked (`datum/document.ts`).
 */
export function createEditEngine(): EditEngine {
  const functions = new FunctionCache();
  return {
    begin: (batch, { primaryKey }) => new EngineRun(batch, primaryKey, functions),
  };
}

/** What a change makes of the document that is there, null for none. */
type Apply = (old: Datum) => Datum;

const returned: Evaluation = { type: 'returned' };
const removed: Evaluation = { type: 'done', text: undefined, isEqual: false };
const written = (text: string | undefined): Evaluation => ({ type: 'done', text, isEqual: false });

class EngineRun implements EditRun {
  readonly #batch: EditBatch;
  readonly #primaryKey: string;
  readonly #functions: FunctionCache;
  #hook: Hooked | undefined;
  /** What the evaluation of the document may cost. */
  #fuelUnits = 0;
  /** Edits of a batch often share their change: the last one, and what it does. */
  #change: Change | undefined;
  #apply: Apply | undefined;

  constructor(batch: EditBatch, primaryKey: string, functions: FunctionCache) {
    this.#batch = batch;
    this.#primaryKey = primaryKey;
    this.#functions = functions;
  }

  evaluate(edit: Edit, old: string | undefined): Evaluation {
    try {
      return this.#asText(edit.change, old) ?? this.#asDatum(edit, old);
    } catch (error) {
      // What a shard cannot evaluate, the query may.
      const isForQuery =
        error instanceof OutOfFuelError ||
        error instanceof NotEvaluableError ||
        error instanceof CompileError;
      return isForQuery ? returned : { type: 'failed', error: failureOf(error) };
    }
  }

  /** Most edits need no look into any document. */
  #asText(change: Change, old: string | undefined): Evaluation | undefined {
    if (change.type === 'compareAndSet') {
      // It has passed the hook where it was evaluated.
      if (change.document === null) return removed;
      return change.document?.isChecked === true ? written(change.document.text) : undefined;
    }
    if (this.#batch.hook !== undefined) return undefined;
    if (change.type === 'delete') return removed;
    if (change.type !== 'insert' || !change.document.isChecked) return undefined;
    return old === undefined || change.conflict === 'replace'
      ? this.#overText(change.document.text, old)
      : undefined;
  }

  #overText(text: string, old: string | undefined): Evaluation {
    if (old === undefined || old === text) return written(text);
    return { type: 'done', text, isEqual: compareDatum(parseText(old), parseText(text)) === 0 };
  }

  #asDatum({ key, change }: Edit, old: string | undefined): Evaluation {
    const before = old === undefined ? null : parseText(old);
    if (this.#apply === undefined || this.#change !== change) {
      this.#apply = this.#applyOf(change);
      this.#change = change;
    }
    this.#fuelUnits = documentFuelOf(old?.length ?? 0);
    let next = this.#apply(before);
    if (this.#batch.hook !== undefined && change.type !== 'compareAndSet') {
      this.#hook ??= this.#hookOf(this.#batch.hook);
      next = settled(this.#hook(before, next));
    }
    if (next === before) return written(old);
    if (next === null) return removed;
    const text = documentText(next, { key, primaryKey: this.#primaryKey, old: before });
    const isEqual = before !== null && text !== old && compareDatum(before, next) === 0;
    return { type: 'done', text, isEqual };
  }

  #applyOf(change: Change): Apply {
    const primaryKey = this.#primaryKey;
    switch (change.type) {
      case 'insert':
        return this.#insertion(valueOfText(change.document), change.conflict);
      case 'update': {
        const patch = this.#valueOf(change.by);
        return (old) => (old === null ? null : updated(old, patch(old), primaryKey));
      }
      case 'replace': {
        const next = this.#valueOf(change.by);
        return (old) => replaced(old, next(old), primaryKey);
      }
      case 'delete':
        return () => null;
      case 'expire':
        return (old) => (isDue(old, change.field, change.nowMs) ? null : old);
      case 'compareAndSet': {
        const document = parseText(change.document?.text ?? 'null');
        return () => document;
      }
      case 'fetch':
        throw new NotEvaluableError('the query evaluates it itself');
    }
  }

  #insertion(document: Datum, conflict: Conflict): Apply {
    const resolve = this.#resolution(document, conflict);
    return (old) => (old === null ? document : resolve(old));
  }

  #resolution(document: Datum, conflict: Conflict): Apply {
    const primaryKey = this.#primaryKey;
    if (conflict === 'replace') return () => document;
    if (conflict === 'update') return (old) => merged(old, document);
    if (conflict === 'error')
      return (old) => {
        throw duplicateKey(old, document, primaryKey);
      };
    const call = this.#called(conflict, this.#batch.context);
    return (old) => datumOf(call(conflictArguments(old, document, primaryKey)));
  }

  #valueOf(by: EditValue): Apply {
    if (!('term' in by)) {
      const value = valueOfText(by);
      return () => value;
    }
    const call = this.#called(by, this.#batch.context);
    return (old) => storable(call([old]));
  }

  #hookOf(hook: TermFunction): Hooked {
    const { nowMs } = this.#batch.context;
    const call = this.#called(hook, { nowMs, arrayLimit: hookArrayLimit });
    return hookedBy(call, { nowMs, primaryKey: this.#primaryKey });
  }

  #called(given: TermFunction, context: EditContext): (args: readonly Datum[]) => Value {
    const call = this.#functions.bound(given, context);
    return (args) => call(args, this.#fuelUnits);
  }
}

/** Nothing waits here: the cache of functions sees to that. */
function settled(datum: Datum | Promise<Datum>): Datum {
  if (datum instanceof Promise) throw new NotEvaluableError('it has to wait');
  return datum;
}
