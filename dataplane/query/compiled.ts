import type { Datum } from '../datum/datum.ts';
import type { Abortable } from '../wire/table-access.ts';
import type { Environment } from './environment.ts';
import type { DeclaredOptions } from './option-table.ts';
import type { Fuel } from './fuel.ts';
import type { FunctionValue, Value } from './value.ts';
import type { Work } from './work/work.ts';
import type { Determinism } from './determinism.ts';
import type { Node } from './scope.ts';

/** What a query carries while it runs. */
export interface Context {
  readonly environment: Environment;
  /** Whatever waits takes its signal. */
  readonly deadline: Abortable;
  readonly user: string;
  readonly arrayLimit: number;
  /** The database of tables that name none. */
  readonly database: string;
  /** `r.now()` of the whole query, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Options of terms that were given for the whole query, by name. */
  readonly termOptions: ReadonlyMap<string, Node>;
  /** Whether one of those options changes what functions of documents answer. */
  readonly reachesFunctions: boolean;
  /** The values of an index for a document. */
  readonly indexValues: (
    definition: string,
    multi: boolean,
  ) => (document: Datum) => readonly Datum[];
  readonly compileFunction: (term: unknown, context: Context) => CompiledFunction;
  /** What the evaluation may cost; without it, nothing is counted. */
  readonly fuel?: Fuel;
  /** What it has done since its last pause, and what it holds; an index function has its fuel instead. */
  readonly work?: Work;
}

/** A function that is stored outside of any query. */
export interface CompiledFunction {
  readonly value: FunctionValue;
  readonly determinism: Determinism;
}

/** Without options declared there is nothing to be read of them. */
export interface TermCall<Options = object> {
  readonly context: Context;
  readonly args: readonly Value[];
  /** By name: given, of the whole query, or what they are without being given. */
  readonly options: Options;
  /** Of each argument as it was written. */
  readonly determinism: readonly Determinism[];
}

/** Takes the items of one sequence (or of one group) and answers one value. */
export interface Accumulator<Item> {
  add(item: Item): void | Promise<void>;
  end(): Value;
  /** What it holds as data, for the accumulator of the query. */
  state?(): Datum;
  /** Takes the state of another one in: of items behind its own. */
  merge?(state: Datum): void;
}

/** How a term evaluates once its arguments are values. */
export interface TermDefinition {
  /** Smallest and largest number of arguments. */
  readonly arity: readonly [least: number, most: number];
  /** Declared by `define` (options.ts), which types what `run` gets of them. */
  readonly options?: DeclaredOptions;
  /** Whether it reads or writes outside its arguments, and so must be awaited. */
  readonly effects?: boolean;
  /** How far its value follows from its arguments; `always` unless it has effects. */
  readonly determinism?: Determinism;
  /** Sees grouped values itself, in place of being applied to each group. */
  readonly grouped?: boolean;
  /** An argument that is evaluated as often as it is called, and not before: its position. */
  readonly deferred?: number;
  /** How it evaluates for a term that needs no more than the key of a document. */
  readonly address?: TermDefinition;
  /** What `args` must not spread into it: the sentence that refuses. */
  readonly noSpread?: string;
  readonly run: (call: TermCall) => Value | Promise<Value>;
}

export type TermTable = ReadonlyMap<number, TermDefinition>;
export type TermEntry = readonly [number: number, definition: TermDefinition];

export interface CompileScope {
  readonly parameters: readonly number[];
  readonly outer: CompileScope | undefined;
}
