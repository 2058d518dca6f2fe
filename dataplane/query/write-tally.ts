import type { Datum } from '../datum/datum.ts';
import { objectOf } from '../datum/object.ts';
import { parseText } from '../datum/text.ts';
import type { EditOutcome, EditResult } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import type { QueryMemory } from './work/memory.ts';
import { sizeOf } from './work/size.ts';

/** What a write answers: counts of what happened to its documents, and the documents if they are wanted. */

/** Of documents that could not be read and were replaced; the first ones say enough. */
const warningsMax = 10;

const changing: ReadonlySet<EditResult> = new Set(['inserted', 'replaced', 'deleted']);

export class WriteTally {
  readonly #returnChanges: boolean | 'always';
  readonly #arrayLimit: number;
  readonly #memory: QueryMemory | undefined;
  readonly #counts = { deleted: 0, failed: 0, inserted: 0, replaced: 0, skipped: 0, unchanged: 0 };
  #firstError: string | undefined;
  readonly #warnings: string[] = [];
  readonly #changes: Datum[] = [];
  /** Beyond the array limit, or without their documents. */
  #changesLeftOut = 0;
  readonly #generatedKeys: string[] = [];
  /** Beyond the array limit. */
  #keysLeftOut = 0;

  constructor(
    returnChanges: boolean | 'always',
    { arrayLimit, work }: Pick<Context, 'arrayLimit' | 'work'>,
  ) {
    this.#returnChanges = returnChanges;
    this.#arrayLimit = arrayLimit;
    this.#memory = work?.memory;
  }

  keyGenerated(key: string): void {
    if (this.#generatedKeys.length >= this.#arrayLimit) this.#keysLeftOut += 1;
    else this.#generatedKeys.push(key);
  }

  /** Before any outcome is counted. */
  failed(message: string | undefined): void {
    this.#firstError ??= message;
  }

  count(outcome: EditOutcome): void {
    const { result, error, damage } = outcome;
    if (damage !== undefined && this.#warnings.length < warningsMax)
      this.#warnings.push(`The document before could not be read: ${damage}`);
    if (error !== undefined) this.#firstError ??= error.message;
    if (result !== 'returned') this.#counts[result] += 1;
    if (this.#returnChanges === 'always' || (this.#returnChanges && changing.has(result)))
      this.#show(outcome);
  }

  #show({ old, new: next, error, isCut }: EditOutcome): void {
    if (isCut === true || this.#changes.length >= this.#arrayLimit) {
      this.#changesLeftOut += 1;
      return;
    }
    const failed = error === undefined ? [] : [['error', error.message] as const];
    const change = objectOf([
      ...failed,
      ['new_val', documentOf(next)],
      ['old_val', documentOf(old)],
    ]);
    this.#memory?.charge(sizeOf(change));
    this.#changes.push(change);
  }

  summary(): Datum {
    const { deleted, failed, inserted, replaced, skipped, unchanged } = this.#counts;
    if (this.#isPlain) return { deleted, errors: failed, inserted, replaced, skipped, unchanged };
    const warnings = this.#allWarnings();
    const keys = this.#generatedKeys;
    return objectOf([
      ...(this.#returnChanges !== false ? [['changes', this.#changes] as const] : []),
      ['deleted', deleted],
      ['errors', failed],
      ...(this.#firstError === undefined ? [] : [['first_error', this.#firstError] as const]),
      ...(keys.length === 0 ? [] : [['generated_keys', keys] as const]),
      ['inserted', inserted],
      ['replaced', replaced],
      ['skipped', skipped],
      ['unchanged', unchanged],
      ...(warnings.length === 0 ? [] : [['warnings', warnings] as const]),
    ]);
  }

  /** Nothing but counts, which is what most writes answer. */
  get #isPlain(): boolean {
    const said = this.#warnings.length + this.#generatedKeys.length + this.#keysLeftOut;
    return this.#returnChanges === false && this.#firstError === undefined && said === 0;
  }

  /** An array of the answer that is longer than the query allows is cut, and the answer says so. */
  #allWarnings(): string[] {
    const kept = this.#generatedKeys.length;
    return [
      ...this.#warnings,
      ...(this.#changesLeftOut > 0
        ? [`Too many changes, array truncated to ${this.#changes.length}.`]
        : []),
      ...(this.#keysLeftOut > 0
        ? [`Too many generated keys (${this.#keysLeftOut + kept}), array truncated to ${kept}.`]
        : []),
    ];
  }
}

const documentOf = (text: string | undefined): Datum =>
  text === undefined ? null : parseText(text);
