import { fromHex } from '../common/bytes.ts';
import type { ApplyStore } from '../kv/store.ts';
import { qualifiedName } from '../metadata/state.ts';
import { tableOfKeyspace } from '../metadata/lookup.ts';
import type { MetadataState } from '../metadata/state.ts';
import type { GroupLog } from '../replication/log.ts';
import type { StorageCorruptError } from '../table/errors.ts';
import { readMark, writeMark } from './damage-mark.ts';
import { DamagedGroups } from './damage.ts';
import type { Damage } from './damage.ts';
import { DocumentDamages } from './damaged-documents.ts';

export interface DamagedTable {
  /** `database.table` */
  readonly name: string;
  readonly damage: Damage;
}

interface CorruptionRegistryOptions {
  readonly store: ApplyStore;
  state(): MetadataState;
}

/**
 * What is known to be damaged of a node's data. A table that was found damaged is marked in the store, so
 * that no start serves it; what the log lacks, recovery finds again each time.
 */
export class CorruptionRegistry {
  /** Tables that are not served; whoever finds damage adds to them. */
  readonly groups = new DamagedGroups();
  /** Of tables that are served. */
  readonly documents = new DocumentDamages();
  readonly #options: CorruptionRegistryOptions;
  /** Of the last damaged value that a request met. */
  #reported: Damage | undefined;

  constructor(options: CorruptionRegistryOptions) {
    this.#options = options;
  }

  /** The first thing to look at when answers are errors. */
  get first(): Damage | undefined {
    return this.tables()[0]?.damage ?? this.#reported;
  }

  tables(): readonly DamagedTable[] {
    const state = this.#options.state();
    return [...this.groups.entries()].map(([group, damage]) => {
      const table = tableOfKeyspace(state, group);
      return { name: table === undefined ? `group ${group}` : qualifiedName(state, table), damage };
    });
  }

  /** Takes in what was found before this start. */
  readMarks(): ReadonlyMap<number, Damage> {
    const { store } = this.#options;
    const marks = new Map<number, Damage>();
    for (const { keyspace } of Object.values(this.#options.state().tables)) {
      const damage = store.read((view) => readMark(view, keyspace));
      if (damage === undefined) continue;
      marks.set(keyspace, damage);
      this.groups.mark(keyspace, damage);
    }
    return marks;
  }

  /** The table of a keyspace is not served any more, not after a restart either. */
  async quarantine(keyspace: number, damage: Damage): Promise<void> {
    this.groups.mark(keyspace, damage);
    await this.#options.store.write((transaction) => writeMark(transaction, keyspace, damage));
  }

  /** What recovery of the log found. Tables that were dropped need nothing any more. */
  markLost(damaged: GroupLog['damaged']): void {
    for (const [group, { code, summary }] of damaged) {
      this.groups.mark(group, { code, message: summary });
    }
    for (const [group] of this.groups.entries()) {
      if (tableOfKeyspace(this.#options.state(), group) === undefined) this.groups.clear(group);
    }
  }

  /** A request met a damaged value. */
  report({ code, message, keyspace, keyHex, what }: StorageCorruptError): void {
    this.#reported = { code, message };
    const key = fromHex(keyHex);
    this.documents.met(keyspace, key, `the value of its key ${keyHex} is damaged: ${what}`);
  }

  /** Work beside the requests met a damaged page of the store. */
  reportPage({ code, message }: Damage): void {
    this.#reported = { code, message };
  }

  /** The error with the name of the table that it is about. */
  named(error: StorageCorruptError): StorageCorruptError {
    if (error.table !== undefined) return error;
    const state = this.#options.state();
    const table = tableOfKeyspace(state, error.keyspace);
    return table === undefined ? error : error.inTable(qualifiedName(state, table));
  }
}
