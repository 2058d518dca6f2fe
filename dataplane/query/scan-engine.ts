import { canonicalText } from '../datum/text.ts';
import type { Made, PushedScan, RowTerm, ScanStep } from '../wire/pushed-scan.ts';
import type { FoldState, ScanRun } from '../wire/shard-engine.ts';
import type { Row } from '../wire/table-access.ts';
import type { EditValue, ValueText } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import { NotEvaluableError } from './errors.ts';
import { isMissing } from './failure.ts';
import { OutOfFuelError } from './fuel.ts';
import { contextOfData, settledHere } from './function-cache.ts';
import type { Budget, FunctionCache } from './function-cache.ts';
import { datumOfItem, StoredRow } from './item.ts';
import type { Item } from './item.ts';
import { FoldRun } from './scan-fold.ts';
import { Term } from './term-table.ts';
import { definitions } from './terms/all.ts';
import { predicateOf } from './terms/predicate.ts';
import { itemFunction, itemsNow, noSequence } from './terms/sequence-tools.ts';
import { datumOf, truth } from './value-reading.ts';
import type { Value } from './value.ts';
import { valueOfText } from './value-text.ts';

/**
 * Evaluates the operations of a scan for a shard. Guarded invariants: what comes of a row follows from the row and the
 * operations alone; a batch ends (`scanFuel`); a row that cannot be evaluated for any reason is left to the query.
 */

/** For the rows of one batch: some three milliseconds of one core. */
const scanFuel = 30_000;
/** Characters that are read or written for the price of a node. */
const charactersPerUnit = 16;

/** What a step makes of an item. */
type Step = (item: Item, results: Item[]) => void;

export class EngineScan implements ScanRun {
  readonly #budget: Budget = { units: scanFuel };
  #steps: readonly Step[] = [];
  #fold: FoldRun | undefined;
  /** Of a batch: the whole budget is there. */
  #isFirst = true;
  /** The query evaluates everything. */
  #isGivenUp = false;

  constructor(pushed: PushedScan, functions: FunctionCache) {
    try {
      const compiler = new StepCompiler(pushed, functions, this.#budget);
      this.#steps = pushed.steps.map((step) => compiler.step(step));
      if (pushed.fold !== undefined)
        this.#fold = new FoldRun(pushed.fold, {
          valueOf: (given) => compiler.valueOf(given),
          context: compiler.context,
          budget: this.#budget,
        });
    } catch {
      // Whatever is wrong with a function, the query says it.
      this.#isGivenUp = true;
    }
  }

  begin(): void {
    this.#isFirst = true;
    this.#budget.units = scanFuel;
  }

  get isSpent(): boolean {
    return this.#budget.units <= 0;
  }

  made(row: Row): Made | 'later' | undefined {
    if (this.#isGivenUp) return undefined;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    try {
      this.#budget.units -= 1 + row.text.length / charactersPerUnit;
      return this.#madeOf(new StoredRow(row));
    } catch (error) {
      if (!(error instanceof OutOfFuelError)) return undefined;
      if (!isFirst) return 'later';
      // Functions that need so much for one row are better called by the query.
      this.#isGivenUp = true;
      return undefined;
    }
  }

  states(): readonly FoldState[] {
    return this.#fold?.states() ?? [];
  }

  #madeOf(row: StoredRow): Made {
    let items: Item[] = [row];
    for (const step of this.#steps) {
      const results: Item[] = [];
      for (const item of items) step(item, results);
      items = results;
      if (items.length === 0) return [];
    }
    if (this.#fold !== undefined) {
      this.#fold.add(items, row);
      return [];
    }
    if (items.length === 1 && items[0] === row) return 'kept';
    const texts = items.map((item) =>
      item instanceof StoredRow ? item.text : canonicalText(item),
    );
    for (const text of texts) this.#budget.units -= text.length / charactersPerUnit;
    return texts;
  }
}

const termNumbers: { readonly [Name in RowTerm]: number } = {
  pluck: Term.PLUCK,
  without: Term.WITHOUT,
  with_fields: Term.WITH_FIELDS,
  has_fields: Term.HAS_FIELDS,
  get_field: Term.GET_FIELD,
  bracket: Term.BRACKET,
  merge: Term.MERGE,
};

class StepCompiler {
  readonly context: Context;
  readonly #pushed: PushedScan;
  readonly #functions: FunctionCache;
  readonly #budget: Budget;

  constructor(pushed: PushedScan, functions: FunctionCache, budget: Budget) {
    this.#pushed = pushed;
    this.#functions = functions;
    this.#budget = budget;
    this.context = contextOfData(pushed.context) as Partial<Context> as Context;
  }

  valueOf(given: EditValue): Value {
    return 'term' in given
      ? this.#functions.drawingOn(this.#budget, given, this.#pushed.context)
      : valueOfText(given);
  }

  step(step: ScanStep): Step {
    switch (step.type) {
      case 'filter':
        return filtering(predicateOf(this.valueOf(step.by)), step.skipsMissing);
      case 'map': {
        const each = itemFunction(this.valueOf(step.by));
        return (item, results) => void results.push(datumOf(settledHere(each(item))));
      }
      case 'concatMap': {
        const each = itemFunction(this.valueOf(step.by));
        return (item, results) => {
          const value = settledHere(each(item));
          const items = itemsNow(value);
          if (items === undefined) throw noSequence(value);
          for (const one of items) results.push(datumOfItem(one));
        };
      }
      case 'apply':
        return this.#applying(step.term, step.args);
    }
  }

  /** As the term does it to an array of the item. */
  #applying(name: RowTerm, given: readonly ValueText[]): Step {
    const definition = definitions.get(termNumbers[name]);
    if (definition === undefined) throw new NotEvaluableError('it has no such term');
    const { context } = this;
    const args = given.map(valueOfText);
    const keeps = name === 'has_fields';
    return (item, results) => {
      this.#budget.units -= 1 + textLengthOf(item) / charactersPerUnit;
      const call = { context, args: [[datumOfItem(item)], ...args], options: {}, determinism: [] };
      const items = itemsNow(settledHere(definition.run(call))) ?? [];
      if (!keeps) for (const one of items) results.push(one);
      else if (items.length > 0) results.push(item);
    };
  }
}

const textLengthOf = (item: Item): number => (item instanceof StoredRow ? item.text.length : 0);

function filtering(holds: (item: Item) => Value | Promise<Value>, skipsMissing: boolean): Step {
  return (item, results) => {
    try {
      if (truth(settledHere(holds(item)))) results.push(item);
    } catch (error) {
      if (!skipsMissing || !isMissing(error)) throw error;
    }
  };
}
