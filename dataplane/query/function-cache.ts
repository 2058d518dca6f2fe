import type { Datum } from '../datum/datum.ts';
import type { CapturedValue, EditContext, TermFunction } from '../wire/table-edit.ts';
import { compile } from './compile.ts';
import type { Context } from './compiled.ts';
import { determinism } from './determinism.ts';
import { StoredRow } from './item.ts';
import { noScope } from './scope.ts';
import { Fuel, OutOfFuelError } from './fuel.ts';
import { NotEvaluableError } from './errors.ts';
import { compileIndexValues } from './index-function.ts';
import { Term } from './term-table.ts';
import { valueOfText } from './value-text.ts';
import { FunctionValue, RowValue } from './value.ts';
import type { TableValue, Value } from './value.ts';

/**
 * Functions that came as data, compiled with fuel and kept by their shape. Guarded invariant: what is evaluated
 * here neither waits nor looks at anything but its arguments; any other function is a `NotEvaluableError`.
 */

/** A function with its captured values, ready to be called. */
export type DatumFunction = (args: readonly Datum[], fuelUnits: number) => Value;

/** What several functions may cost together. */
export interface Budget {
  units: number;
}

const shapesMax = 1_000;
/** Of the terms that are kept: a compiled one takes some ten times as much. */
const shapeCharactersMax = 2_097_152;

interface Shape {
  readonly characters: number;
  readonly fuel: Fuel;
  /** Of the compiled nodes, which read it when they run. */
  readonly context: { nowMs: number };
  readonly bind: (captured: readonly Value[]) => FunctionValue;
}

interface BoundShape {
  readonly shape: Shape;
  readonly called: FunctionValue;
}

/** What has to wait (a stream, or the refusal of one) is for the query, whatever comes of it. */
export function settledHere(value: Value | Promise<Value>): Value {
  if (!(value instanceof Promise)) return value;
  value.catch(() => undefined);
  throw new NotEvaluableError('it has to wait');
}

export class FunctionCache {
  /** The one that was used last is the last one. */
  readonly #shapes = new Map<string, Shape>();
  #newest: Shape | undefined;
  #characters = 0;

  /** How many shapes are kept. */
  get size(): number {
    return this.#shapes.size;
  }

  bound(given: TermFunction, context: EditContext): DatumFunction {
    const { shape, called } = this.#boundShape(given, context);
    return (args, fuelUnits) => {
      shape.context.nowMs = context.nowMs;
      shape.fuel.refill(fuelUnits);
      return settledHere(called.call(args));
    };
  }

  /** A function that draws on a budget which it shares. */
  drawingOn(budget: Budget, given: TermFunction, context: EditContext): FunctionValue {
    const { shape, called } = this.#boundShape(given, context);
    return new FunctionValue(called, (args) => {
      shape.context.nowMs = context.nowMs;
      shape.fuel.refill(budget.units);
      try {
        return settledHere(called.call(args));
      } finally {
        budget.units = shape.fuel.left;
      }
    });
  }

  #boundShape({ term, captured }: TermFunction, { arrayLimit }: EditContext): BoundShape {
    const variables = captured.map(({ variable }) => variable);
    const name = `${arrayLimit} ${variables.join()} ${term}`;
    const shape = this.#kept(name) ?? this.#keep(name, shapeOf(term, variables, arrayLimit));
    shape.fuel.refill(Number.POSITIVE_INFINITY);
    return { shape, called: shape.bind(captured.map(valueOf)) };
  }

  #kept(name: string): Shape | undefined {
    const shape = this.#shapes.get(name);
    if (shape === undefined) return undefined;
    if (this.#newest !== shape) {
      this.#shapes.delete(name);
      this.#shapes.set(name, shape);
      this.#newest = shape;
    }
    return shape;
  }

  #keep(name: string, shape: Shape): Shape {
    this.#shapes.set(name, shape);
    this.#newest = shape;
    this.#characters += shape.characters;
    for (const [oldest, { characters }] of this.#shapes) {
      if (this.#shapes.size <= shapesMax && this.#characters <= shapeCharactersMax) break;
      this.#shapes.delete(oldest);
      this.#characters -= characters;
    }
    return shape;
  }
}

/** For streams, which wait: they end before they begin. */
const nothingWaits = AbortSignal.abort(new OutOfFuelError(0));

/** No variable of a query has this number. */
const unusedVariable = -1;

/** Of a query without anything around it: it has nothing to wait for. */
export const contextOfData = ({ nowMs, arrayLimit }: EditContext) => ({
  deadline: { signal: nothingWaits },
  arrayLimit,
  nowMs,
  termOptions: new Map(),
  indexValues: compileIndexValues,
});

function shapeOf(term: string, variables: readonly number[], arrayLimit: number): Shape {
  const fuel = new Fuel(Number.POSITIVE_INFINITY);
  const context = { ...contextOfData({ nowMs: 0, arrayLimit }), fuel };
  // A function of a single parameter around it would be a meaning of `r.row`.
  const parameters = variables.length === 1 ? [...variables, unusedVariable] : variables;
  const around = [Term.FUNC, [[Term.MAKE_ARRAY, parameters], JSON.parse(term)]];
  const node = compile(around, context as Partial<Context> as Context);
  if (!node.pure || node.determinism === determinism.never)
    throw new NotEvaluableError('it depends on more than its arguments');
  const outer = node.run(noScope);
  const bind = (captured: readonly Value[]): FunctionValue => {
    const bound = outer instanceof FunctionValue ? outer.call(captured) : outer;
    if (!(bound instanceof FunctionValue)) throw new NotEvaluableError('it is no function');
    return bound;
  };
  return { characters: term.length, fuel, context, bind };
}

/** Nothing that is evaluated here reads a table. */
const noTable = undefined as unknown as TableValue;
const noKey = { key: new Uint8Array(), primaryKey: null };

function valueOf({ value, isSelection }: CapturedValue): Value {
  if (!isSelection) return valueOfText(value);
  const { text } = value;
  const row = text === 'null' ? undefined : new StoredRow({ key: noKey.key, text });
  return new RowValue(noTable, noKey, row);
}
