import { compareDatum } from '../datum/compare.ts';
import type { Datum } from '../datum/datum.ts';
import { documentText } from '../datum/document.ts';
import { isDue } from '../datum/due.ts';
import { parseText } from '../datum/text.ts';
import type { ShardEngine } from '../wire/shard-engine.ts';
import type {
  Change,
  Conflict,
  Edit,
  EditBatch,
  EditRun,
  EditValue,
  Evaluation,
  TermFunction,
  ValueText,
} from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import { conflictArguments, duplicateKey, replaced, storable, updated } from './document-change.ts';
import { CompileError, NotEvaluableError } from './errors.ts';
import { documentFuelOf, OutOfFuelError } from './fuel.ts';
import { FunctionCache } from './function-cache.ts';
import type { DatumFunction } from './function-cache.ts';
import { EngineScan } from './scan-engine.ts';
import { merged } from './terms/merging.ts';
import { datumOf } from './value-reading.ts';
import { valueOfText } from './value-text.ts';
import type { Value } from './value.ts';
import { hookArrayLimit, hookedBy } from './write-hook.ts';
import type { Hooked } from './write-hook.ts';

/**
 * Evaluates edits and scans for a shard. Guarded invariants: what comes of an edit follows from its document, the edit and
 * its batch alone; an evaluation ends (`fuel.ts`); every document that it makes was checked (`datum/document.ts`).
 */
export function createEditEngine(): ShardEngine {
  const functions = new FunctionCache();
  return {
    begin: (batch, { primaryKey }) => new EngineRun(batch, primaryKey, functions),
    scan: (pushed) => new EngineScan(pushed, functions),
  };
}

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
  /** Edits of a batch often share their change: the value and the function that were read last. */
  #text: ValueText | undefined;
  #value: Datum = null;
  #function: TermFunction | undefined;
  #call: DatumFunction | undefined;

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
    this.#fuelUnits = documentFuelOf(old?.length ?? 0);
    let next = this.#nextOf(change, before);
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

  /** What a change makes of the document that is there, null for none. */
  #nextOf(change: Change, old: Datum): Datum {
    switch (change.type) {
      case 'insert': {
        const document = this.#valueOfText(change.document);
        return old === null ? document : this.#resolved(old, document, change.conflict);
      }
      case 'update':
        return old === null ? null : updated(old, this.#valueOf(change.by, old), this.#primaryKey);
      case 'replace':
        return replaced(old, this.#valueOf(change.by, old), this.#primaryKey);
      case 'delete':
        return null;
      case 'expire':
        return isDue(old, change.field, change.nowMs) ? null : old;
      case 'compareAndSet':
        return parseText(change.document?.text ?? 'null');
      case 'fetch':
        throw new NotEvaluableError('the query evaluates it itself');
    }
  }

  #resolved(old: Datum, document: Datum, conflict: Conflict): Datum {
    if (conflict === 'replace') return document;
    if (conflict === 'update') return merged(old, document);
    if (conflict === 'error') throw duplicateKey(old, document, this.#primaryKey);
    return datumOf(this.#called(conflict, conflictArguments(old, document, this.#primaryKey)));
  }

  #valueOf(by: EditValue, old: Datum): Datum {
    return 'term' in by ? storable(this.#called(by, [old])) : this.#valueOfText(by);
  }

  #valueOfText(text: ValueText): Datum {
    if (this.#text !== text) {
      this.#value = valueOfText(text);
      this.#text = text;
    }
    return this.#value;
  }

  #called(given: TermFunction, args: readonly Datum[]): Value {
    if (this.#call === undefined || this.#function !== given) {
      this.#call = this.#functions.bound(given, this.#batch.context);
      this.#function = given;
    }
    return this.#call(args, this.#fuelUnits);
  }

  #hookOf(hook: TermFunction): Hooked {
    const { nowMs } = this.#batch.context;
    const call = this.#functions.bound(hook, { nowMs, arrayLimit: hookArrayLimit });
    return hookedBy((args) => call(args, this.#fuelUnits), {
      nowMs,
      primaryKey: this.#primaryKey,
    });
  }
}

/** Nothing waits here: the cache of functions sees to that. */
function settled(datum: Datum | Promise<Datum>): Datum {
  if (datum instanceof Promise) throw new NotEvaluableError('it has to wait');
  return datum;
}
