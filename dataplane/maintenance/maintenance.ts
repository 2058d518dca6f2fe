import type { MetadataLog, Tables } from '../apply/tables.ts';
import type { Clock } from '../common/clock.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { IndexFailures } from '../integrity/index-failures.ts';
import type { UncheckedVersions } from '../integrity/unchecked.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { TableChanges } from '../metadata/changes.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { BackgroundWork } from './background-work.ts';
import { GarbageCollector } from './garbage-collector.ts';
import type { GarbageCollectorOptions } from './garbage-collector.ts';
import { IndexBuilder } from './index-builder.ts';
import { Scrubber } from './scrubber.ts';

export interface MaintenanceOptions {
  readonly store: ApplyStore;
  readonly clock: Clock;
  readonly tables: Tables;
  readonly metadata: MetadataLog;
  readonly corruption: CorruptionRegistry;
  readonly walks: Map<number, KeyspaceWalk>;
  readonly failures: IndexFailures;
  readonly unchecked: UncheckedVersions;
  readonly settled: GarbageCollectorOptions['settled'];
  /** For a damaged part of an index. */
  rebuildIndex(tableId: string, keyspace: number): Promise<void>;
  failed(error: Error): void;
  readonly signal: AbortSignal;
}

/** What goes on beside the requests. */
export class Maintenance {
  readonly builder: IndexBuilder;
  readonly collector: GarbageCollector;
  readonly scrubber: Scrubber;
  readonly #work: BackgroundWork;

  constructor(options: MaintenanceOptions) {
    const work = new BackgroundWork(options);
    this.#work = work;
    this.collector = new GarbageCollector({ ...options, work });
    this.builder = new IndexBuilder({ ...options, work, collector: this.collector });
    this.scrubber = new Scrubber(options);
  }

  /** Begins what the metadata asks for, which changed so since the last call. */
  start(changes: TableChanges): void {
    this.builder.start(changes);
    this.collector.collect();
  }

  async stopped(): Promise<void> {
    await this.#work.stopped();
    await this.scrubber.stopped();
  }
}
