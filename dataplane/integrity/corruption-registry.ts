import { fromHex } from '../common/bytes.ts';
import type { ApplyStore } from '../kv/store.ts';
import { shardOfGroup, shardOfKeyspace } from '../metadata/lookup.ts';
import { groupsOf, shardsOf } from '../metadata/shards.ts';
import { qualifiedName } from '../metadata/state.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import type { GroupLog } from '../replication/log.ts';
import { keyspaceKey, verifyEnvelope } from '../table/envelope.ts';
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
  readonly tables: { readonly state: MetadataState };
  /** Called with each group that is damaged from now on. */
  marked?(group: number): void;
  /** Called when a shard is closed. */
  closed(group: number, damage: Damage, name: string): void;
}

/**
 * What is known to be damaged of a node's data. A table that was found damaged is marked in the store, so
 * that no start serves it; what the log lacks, recovery finds again each time.
 */
export class CorruptionRegistry {
  /** Tables that are not served; whoever finds damage adds to them. */
  readonly groups = new DamagedGroups((group) => this.#options.marked?.(group));
  /** Of tables that are served. */
  readonly documents = new DocumentDamages();
  /** Keyspaces with rows whose bytes are not those that were written: another replica has them. */
  readonly broken = new Set<number>();
  readonly #options: CorruptionRegistryOptions;
  /** Of the last damaged value that a request met. */
  #reported: { readonly damage: Damage; readonly keyspace?: number } | undefined;

  constructor(options: CorruptionRegistryOptions) {
    this.#options = options;
  }

  /** The first thing to look at when answers are errors. */
  get first(): Damage | undefined {
    return this.tables()[0]?.damage ?? this.#reported?.damage;
  }

  tables(): readonly DamagedTable[] {
    return [...this.groups.entries()].map(([group, damage]) => {
      return { name: this.#nameOf(group), damage };
    });
  }

  /** Why shards of a table are not served, in their order. */
  damagesOf(table: TableRecord): readonly Damage[] {
    if (this.groups.size === 0) return [];
    return shardsOf(table).flatMap(({ group }) => this.groups.of(group) ?? []);
  }

  /** Takes in what was found before this start. */
  readMarks(): ReadonlyMap<number, Damage> {
    const { store } = this.#options;
    const marks = new Map<number, Damage>();
    for (const group of groupsOf(this.#options.tables.state)) {
      const damage = store.read((view) => readMark(view, group));
      if (damage === undefined) continue;
      marks.set(group, damage);
      this.groups.mark(group, damage);
    }
    return marks;
  }

  /** The shard of a group is not served any more. Whoever parks its next entry writes the mark. */
  close(group: number, damage: Damage): void {
    this.groups.mark(group, damage);
    this.#options.closed(group, damage, this.#nameOf(group));
  }

  /** The shard of a group is not served any more, not after a restart either. */
  async quarantine(group: number, damage: Damage): Promise<void> {
    this.close(group, damage);
    await this.#options.store.write((transaction) => writeMark(transaction, group, damage));
  }

  #nameOf(group: number): string {
    const { state } = this.#options.tables;
    const found = shardOfGroup(state, group);
    if (found === undefined) return `group ${group}`;
    const shards = shardsOf(found.table).length;
    const name = qualifiedName(state, found.table);
    return shards === 1 ? name : `${name} (shard ${found.at + 1} of ${shards})`;
  }

  /** What recovery of the log found. Tables that were dropped need nothing any more. */
  markLost(damaged: GroupLog['damaged']): void {
    for (const [group, { code, summary }] of damaged) {
      this.groups.mark(group, { code, message: summary });
    }
    for (const [group] of this.groups.entries()) {
      if (shardOfGroup(this.#options.tables.state, group) === undefined) this.groups.clear(group);
    }
  }

  /** A request met a damaged value. */
  report({ code, message, keyspace, keyHex, what }: StorageCorruptError): void {
    this.#reported = { damage: { code, message }, keyspace };
    const key = fromHex(keyHex);
    if (this.#isBroken(keyspaceKey(keyspace, key))) this.broken.add(keyspace);
    this.documents.met(keyspace, key, `the value of its key ${keyHex} is damaged: ${what}`);
  }

  /** The rows of a shard are others. */
  restored(group: number, keyspace: number): void {
    this.groups.clear(group);
    this.documents.forget(keyspace);
    this.broken.delete(keyspace);
    if (this.#reported?.keyspace === keyspace) this.#reported = undefined;
  }

  /** Text that is whole and no document is the same on every replica. */
  #isBroken(storedKey: Uint8Array): boolean {
    const value = this.#options.store.read((view) => view.get('data', storedKey));
    if (value === undefined) return false;
    try {
      verifyEnvelope(storedKey, value);
      return false;
    } catch {
      return true;
    }
  }

  /** Work beside the requests met a damaged page of the store. */
  reportPage({ code, message }: Damage): void {
    this.#reported = { damage: { code, message } };
  }

  /** The error with the name of the table that it is about. */
  named(error: StorageCorruptError): StorageCorruptError {
    if (error.table !== undefined) return error;
    const { state } = this.#options.tables;
    const found = shardOfKeyspace(state, error.keyspace);
    return found === undefined ? error : error.inTable(qualifiedName(state, found.table));
  }
}
