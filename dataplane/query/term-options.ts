import { determinism as determinisms } from './determinism.ts';
import type { Node, Scope } from './scope.ts';
import type { Determinism } from './determinism.ts';
import type { Path } from './path.ts';
import { CompileError } from './errors.ts';
import { logic } from './failure.ts';
import { atOption, strict } from './node.ts';
import type { DeclaredOptions, Option } from './option-table.ts';
import { Term } from './term-table.ts';
import { ListValue } from './value.ts';
import type { Value } from './value.ts';

/** The options of one term in a query: nodes for what is evaluated before it, and the record that it gets. */
export interface TermOptions {
  readonly nodes: readonly Node[];
  /** Whether what the term evaluates itself needs no waiting. */
  readonly pure: boolean;
  readonly determinism: Determinism;
  readonly record: (values: readonly Value[], scope: Scope) => Readonly<Record<string, unknown>>;
}

interface Given {
  readonly name: string;
  readonly option: Option<unknown, boolean>;
  readonly node: Node;
}

const none: Readonly<Record<string, unknown>> = Object.freeze({});
const withoutOptions: TermOptions = {
  nodes: [],
  pure: true,
  determinism: determinisms.always,
  record: () => none,
};

/** By what a term declares: what it gets without any option. */
const absents = new WeakMap<DeclaredOptions, TermOptions>();

function absentOptions(declared: DeclaredOptions): TermOptions {
  const known = absents.get(declared);
  if (known !== undefined) return known;
  const { absent } = declared;
  const made = { ...withoutOptions, record: () => absent };
  absents.set(declared, made);
  return made;
}

/** Refuses what the term does not have. */
export function checkOptions(
  declared: DeclaredOptions | undefined,
  written: object,
  path: Path,
): void {
  for (const name of Object.keys(written)) {
    if (declared !== undefined && Object.hasOwn(declared.table, name)) continue;
    if (name === 'return_vals')
      throw logic(
        'Error: encountered obsolete optarg `return_vals`.  Use `return_changes` instead.',
      );
    throw new CompileError(`Unrecognized optional argument \`${name}\`.`, [...path, name]);
  }
}

export function termOptions(
  declared: DeclaredOptions | undefined,
  /** Undefined when nothing is given at all. */
  nodeOf: ((name: string, form: Option<unknown>['form']) => Node | undefined) | undefined,
  path: Path,
): TermOptions {
  if (declared === undefined) return withoutOptions;
  if (nodeOf === undefined) return absentOptions(declared);
  const given: Given[] = [];
  for (const [name, option] of Object.entries(declared.table)) {
    const node = nodeOf(name, option.form);
    if (node !== undefined) given.push({ name, option, node });
  }
  if (given.length === 0) return absentOptions(declared);
  return optionsGiven(given, declared.absent, path);
}

function optionsGiven(given: readonly Given[], absent: object, path: Path): TermOptions {
  const eager = given.filter(({ option }) => option.form !== 'lazy');
  const own = given.filter(({ option }) => option.form === 'lazy');
  const read = (values: readonly Value[], scope: Scope): Readonly<Record<string, unknown>> => {
    const record: Record<string, unknown> = { ...absent };
    for (const [at, { name, option }] of eager.entries()) {
      try {
        record[name] = option.read(values[at] as Value, name);
      } catch (error) {
        throw atOption(error, path, name);
      }
    }
    for (const { name, node } of own) record[name] = () => node.run(scope);
    return record;
  };
  return {
    nodes: eager.map(({ node }) => node),
    pure: own.every(({ node }) => node.pure),
    determinism: own.reduce<Determinism>(
      (sofar, { node }) => (node.determinism > sofar ? node.determinism : sofar),
      determinisms.always,
    ),
    record: own.length === 0 && eager.every(({ node }) => node.isConstant) ? once(read) : read,
  };
}

/** Of constants it is the same each time. */
function once(read: TermOptions['record']): TermOptions['record'] {
  let record: Readonly<Record<string, unknown>> | undefined;
  return (values, scope) => (record ??= read(values, scope));
}

/** An array whose items may be functions. */
export const listNode = (nodes: readonly Node[]): Node =>
  strict(nodes, (items) => new ListValue(items), { term: Term.MAKE_ARRAY });
