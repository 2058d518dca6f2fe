import { stagedEnd, stagedStart } from '../apply/parked.ts';
import type { Tables } from '../apply/tables.ts';
import { equalBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { InTurn } from '../common/in-turn.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import { isUncheckedMark } from '../integrity/unchecked.ts';
import type { UncheckedVersions } from '../integrity/unchecked.ts';
import { databaseNames } from '../kv/store.ts';
import type { DatabaseName, KeyRange, ReadTransaction } from '../kv/store.ts';
import { shardOfKeyspace } from '../metadata/lookup.ts';
import type { TableShard } from '../metadata/lookup.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type { Finding, ScrubTarget } from '../table/keyspace-scrub.ts';
import { metaKey } from '../table/meta-key.ts';
import { scrubKeyspace, scrubTargets } from './scrub.ts';
import type { Scrubbed, ScrubHost } from './scrub.ts';

const incomingMetadata = metaKey('incoming', metadataGroup);

export interface ScrubberOptions extends Pick<ScrubHost, 'store' | 'walks' | 'signal'> {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly tables: Pick<Tables, 'state' | 'index' | 'isReady' | 'problemOf'>;
  readonly corruption: CorruptionRegistry;
  readonly unchecked: UncheckedVersions;
  rebuildIndex(tableId: string, keyspace: number): Promise<unknown>;
}

export interface ScrubCounters {
  passes: number;
  rows: number;
  bytes: number;
  damagedTables: number;
  damagedIndexes: number;
  damagedDocuments: number;
}

/**
 * Whether nothing of a database was ever written to a store. The state of the metadata that another node sends is on
 * its way there, until it takes its place.
 */
export function isEmpty(transaction: ReadTransaction): boolean {
  const start = stagedStart(metadataGroup);
  const end = stagedEnd(metadataGroup);
  const isBeforeDatabase = ({ key }: { readonly key: Uint8Array }): boolean =>
    isUncheckedMark(key) || equalBytes(key, incomingMetadata);
  const isNothing = (name: DatabaseName, range: KeyRange): boolean => {
    const first = [...transaction.entries(name, { ...range, limit: 3 })];
    return first.every((entry) => name === 'meta' && isBeforeDatabase(entry));
  };
  return databaseNames.every((name) =>
    name === 'chunk'
      ? isNothing(name, { end: start }) && isNothing(name, { start: end })
      : isNothing(name, {}),
  );
}

/** A scrub takes so much of one core at most. */
const shareOfCore = 0.05;
/** A start has other things to do, and a node that is restarted often is scrubbed all the same. */
const firstPassMs = 5 * 60_000;

export interface ScrubPlan {
  /** From the end of a pass to the next one. */
  readonly intervalMs: number;
  /** Hears what a pass found. */
  readonly passed: (found: readonly Finding[]) => void;
}

/**
 * Scrubs all of a node's data periodically, and reacts to what it finds: a damaged index is rebuilt, because its
 * table has everything that it needs; a damaged table goes into quarantine.
 */
export class Scrubber {
  readonly counters: ScrubCounters = {
    passes: 0,
    rows: 0,
    bytes: 0,
    damagedTables: 0,
    damagedIndexes: 0,
    damagedDocuments: 0,
  };
  readonly #options: ScrubberOptions;
  readonly #turns = new InTurn();

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  /** Looks at everything from time to time. */
  async run({ intervalMs, passed }: ScrubPlan): Promise<void> {
    const { clock, signal } = this.#options;
    await clock.sleep(firstPassMs, signal);
    for (;;) {
      passed(await this.pass({ isPaced: true }));
      await clock.sleep(intervalMs, signal);
    }
  }

  /** Resolves when no pass is under way any more. */
  async stopped(): Promise<void> {
    await this.#turns.ended();
  }

  /**
   * Looks at everything once, after the pass that is under way. A paced one leaves most of a core to others.
   * Resolves with what it found.
   */
  pass({ isPaced } = { isPaced: false }): Promise<readonly Finding[]> {
    return this.#turns.run(() => this.#pass(isPaced));
  }

  async #pass(isPaced: boolean): Promise<readonly Finding[]> {
    const { clock, signal } = this.#options;
    const found: Finding[] = [];
    const host: ScrubHost = {
      ...this.#options,
      isWanted: (target) => this.#isWanted(target),
      sliced: async ({ rows, bytes, ms }) => {
        this.counters.rows += rows;
        this.counters.bytes += bytes;
        if (isPaced) await clock.sleep(ms / shareOfCore - ms, signal);
      },
    };
    for (const target of this.#targets()) {
      const uncheckedTo = this.#options.unchecked.of(target.keyspace).version;
      let scrubbed = await scrubKeyspace(target, host);
      // A table is not taken from its users by one look: damage is still there at the second.
      if (scrubbed.findings.length > 0) scrubbed = await scrubKeyspace(target, host);
      found.push(...scrubbed.findings);
      await this.#seeTo(target, scrubbed);
      if (target.type === 'table')
        await this.#noteDocuments(target.keyspace, scrubbed, uncheckedTo);
    }
    this.counters.passes += 1;
    return found;
  }

  /** A damaged document closes nothing: whoever reads it hears so, and anybody may replace it. */
  async #noteDocuments(keyspace: number, scrubbed: Scrubbed, uncheckedTo: number): Promise<void> {
    if (!scrubbed.isOver) return;
    const named = scrubbed.findings.flatMap(({ keyspace: home, document: key, what }) =>
      home === keyspace && key !== undefined ? [{ key, what }] : [],
    );
    this.counters.damagedDocuments += scrubbed.damagedDocuments;
    if (scrubbed.damagedDocuments > scrubbed.invalidDocuments)
      this.#options.corruption.broken.add(keyspace);
    this.#options.corruption.documents.found(keyspace, scrubbed.damagedDocuments, named);
    const areDocuments =
      scrubbed.invalidDocuments === 0 && named.length === scrubbed.findings.length;
    if (!areDocuments || uncheckedTo === 0) return;
    await this.#options.store.write((transaction) =>
      this.#options.unchecked.cleared(transaction, keyspace, uncheckedTo),
    );
  }

  #targets(): ScrubTarget[] {
    return scrubTargets(this.#options.tables);
  }

  #isWanted(target: ScrubTarget): boolean {
    const isIndex = target.type === 'index';
    const { tables, corruption } = this.#options;
    const found = this.#shard(target);
    if (found === undefined || corruption.groups.of(found.shard.group) !== undefined) return false;
    return !isIndex || tables.index(target.keyspace) !== undefined;
  }

  async #seeTo(target: ScrubTarget, { findings }: Scrubbed): Promise<void> {
    const found = this.#shard(target);
    if (found === undefined) return;
    const { table, shard } = found;
    const ofTable = findings.find(
      ({ keyspace, document }) => keyspace === shard.keyspace && document === undefined,
    );
    if (ofTable !== undefined) {
      this.counters.damagedTables += 1;
      const message = `A scrub of its stored rows (keyspace ${shard.keyspace}) found that ${ofTable.what}. What is whole can be taken out with \`npm run storage -- salvage\`.`;
      await this.#options.corruption.quarantine(shard.group, { code: 'storage.corrupt', message });
      return;
    }
    const others = findings.filter(({ document }) => document === undefined);
    for (const keyspace of new Set(others.map((each) => each.keyspace))) {
      if (this.#options.tables.index(keyspace) === undefined) continue;
      this.counters.damagedIndexes += 1;
      await this.#options.rebuildIndex(table.id, keyspace);
    }
  }

  #shard(target: ScrubTarget): TableShard | undefined {
    const keyspace = target.type === 'index' ? target.tableKeyspace : target.keyspace;
    return shardOfKeyspace(this.#options.tables.state, keyspace);
  }
}
