import { DeclaredOptions } from './option-table.ts';
import type { Option, OptionKind, OptionTable } from './option-table.ts';
import type { TermCall, TermDefinition } from './compiled.ts';
import { about, logic } from './failure.ts';
import { datumOf, integerOf, textOf, wrongValue } from './value-reading.ts';
import { readModes } from '../wire/table-access.ts';
import { FunctionValue } from './value.ts';
import type { Value } from './value.ts';

/** The values of the options of a table. What has no effect is not there to be read. */
export type OptionValues<Table extends OptionTable> = {
  readonly [
    Name in keyof Table as Table[Name] extends Option<unknown> ? Name : never
  ]: Table[Name] extends Option<infer T> ? T : never;
};

export function option<T>(kind: OptionKind<T>, line: string): Option<T | undefined>;
export function option<T>(kind: OptionKind<T>, line: string, otherwise: T): Option<T>;
export function option<T>(kind: OptionKind<T>, line: string, otherwise?: T): Option<T | undefined> {
  return { ...kind, form: 'value', about: line, otherwise, hasEffect: true };
}

/** An option that this version checks and that changes nothing; the line says why. */
export function inert<T>(kind: OptionKind<T>, line: string): Option<T | undefined, false> {
  return { ...kind, form: 'value', about: line, otherwise: undefined, hasEffect: false };
}

export type LazyValue = () => Value | Promise<Value>;

/** An option that the term evaluates itself, as often as it needs it. */
export const lazyOption = (line: string): Option<LazyValue | undefined> => ({
  allowed: 'any value',
  form: 'lazy',
  about: line,
  otherwise: undefined,
  hasEffect: true,
  read: (value) => () => value,
});

/** An option whose array literal may hold functions: each item is a value of its own. */
export const listOption = <T>(kind: OptionKind<T>, line: string): Option<T | undefined> => ({
  ...option(kind, line),
  form: 'list',
});

/** Null is as good as false: drivers send it for what is not set. */
function boolOf(value: Value): boolean {
  const datum = datumOf(value);
  if (datum === null) return false;
  if (typeof datum !== 'boolean') throw wrongValue('BOOL', value);
  return datum;
}

export const bool: OptionKind<boolean> = { allowed: '`true`, `false`', read: boolOf };
export const text: OptionKind<string> = { allowed: 'a string', read: textOf };

export const functionKind: OptionKind<FunctionValue> = {
  allowed: 'a function',
  read: (value) => {
    if (value instanceof FunctionValue) return value;
    throw wrongValue('FUNCTION', value);
  },
};

/** Whatever it is: the term itself looks at it. */
export const anything = (allowed: string): OptionKind<Value> => ({
  allowed,
  read: (value) => value,
});

/** A string of a list; `refusal` is the sentence for every other one. */
export function oneOf<const T extends string>(
  values: readonly T[],
  refusal: (found: string, name: string) => string,
): OptionKind<T> {
  return {
    allowed: values.map((value) => `\`"${value}"\``).join(', '),
    read: (value, name) => {
      const found = textOf(value);
      const known = values.find((each) => each === found);
      if (known === undefined) throw about(logic(refusal(found, name)), value);
      return known;
    },
  };
}

export const durability = oneOf(
  ['hard', 'soft'],
  (found) => `Durability option \`${found}\` unrecognized (options are "hard" and "soft").`,
);

const readMode = oneOf(
  readModes,
  (found) =>
    `Read mode \`${found}\` unrecognized (options are "majority", "single", and "outdated").`,
);

export const identifierFormat = oneOf(
  ['name', 'uuid'],
  (found) => `Identifier format \`${found}\` unrecognized (options are "name" and "uuid").`,
);

export const readModeOption = option(
  readMode,
  'How fresh the reads of the table are, see [consistency](../concepts/consistency.md#reads). `"single"` and `"majority"` see the newest write; `"outdated"` reads any replica, also where there is no majority.',
  'single',
);

/** An option of former versions: the sentence says what to use. */
export const obsolete = (sentence: string): Option<undefined, false> => ({
  allowed: 'nothing',
  form: 'value',
  about: 'No longer supported.',
  otherwise: undefined,
  hasEffect: false,
  read: () => {
    throw logic(sentence);
  },
});

export const useOutdated = obsolete(
  'The `use_outdated` optarg is no longer supported.  Use the `read_mode` optarg instead.',
);

const bound = oneOf(
  ['open', 'closed'],
  (found, name) => `Expected \`open\` or \`closed\` for optarg \`${name}\` (got \`"${found}"\`).`,
);

/** Whether the two ends of a range belong to it. */
export const boundOptions = {
  left_bound: option(bound, 'Whether the range includes its lower end (`closed`).', 'closed'),
  right_bound: option(bound, 'Whether the range includes its upper end (`closed`).', 'open'),
} as const;

/** A value as the number of something that there are at least `least` of. */
export function atLeast(least: number, refusal: (found: number) => string): OptionKind<number> {
  return {
    allowed: `an integer of ${least} or more`,
    read: (value): number => {
      const found = integerOf(value);
      if (found < least) throw about(logic(refusal(found)), value);
      return found;
    },
  };
}

/** `true`, `false` or `"always"`. */
export const returnChanges: OptionKind<boolean | 'always'> = {
  allowed: '`true`, `false`, `"always"`',
  read: (value) => {
    const datum = datumOf(value);
    if (typeof datum !== 'string') return boolOf(value);
    if (datum === 'always') return datum;
    throw logic(
      `Invalid return_changes value \`${datum}\` (options are \`true\`, \`false\`, and \`'always'\`.)`,
    );
  },
};

type DefinitionWith<Table extends OptionTable> = Omit<TermDefinition, 'options' | 'run'> & {
  readonly options: Table;
  readonly run: (call: TermCall<OptionValues<Table>>) => Value | Promise<Value>;
};

/** The definition of a term with options. */
export function define<Table extends OptionTable>(
  definition: DefinitionWith<Table>,
): TermDefinition {
  // The compiler builds the record from this very table: the one place that knows both types.
  const run = definition.run as unknown as TermDefinition['run'];
  return { ...definition, options: new DeclaredOptions(definition.options), run };
}
