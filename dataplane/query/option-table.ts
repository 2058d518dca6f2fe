import type { Value } from './value.ts';

/**
 * Optional arguments of terms. Each is declared once: what it may hold, what it is without being
 * given, what it does. A term receives a record of the values of exactly those, so that an option
 * that is not declared cannot be read, and the reference page lists what there is.
 */
export interface OptionKind<T> {
  /** What it may hold, as the reference shows it. */
  readonly allowed: string;
  /** Refuses what it may not hold. */
  readonly read: (value: Value, name: string) => T;
}

/**
 * How the argument is evaluated: before the term; by the term, when and if it needs it; as a list
 * whose items may be functions.
 */
type OptionForm = 'value' | 'lazy' | 'list';

export interface Option<T, HasEffect extends boolean = true> extends OptionKind<T> {
  readonly form: OptionForm;
  /** One line for the reference. */
  readonly about: string;
  /** Its value when it is not given. */
  readonly otherwise: T;
  /** False: it is checked, and changes nothing in this version. */
  readonly hasEffect: HasEffect;
}

export type OptionTable = Readonly<Record<string, Option<unknown, boolean>>>;

/** The options of a definition, and the record that a call without any gets. */
export class DeclaredOptions {
  readonly table: OptionTable;
  readonly absent: Readonly<Record<string, unknown>>;

  constructor(table: OptionTable) {
    this.table = table;
    this.absent = Object.freeze(
      Object.fromEntries(
        Object.entries(table).map(([name, { otherwise }]) => [name, otherwise] as const),
      ),
    );
  }
}
