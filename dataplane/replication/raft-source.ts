import { assert } from '../common/assert.ts';
import type { GroupLog, LogEntry, MemberLog } from './log.ts';
import { decodeConfiguration, encodeConfiguration } from './member-records.ts';
import { RaftGroups } from './raft-groups.ts';
import type { RaftGroupsOptions } from './raft-groups.ts';
import { RecoveredGroups } from './recovered-groups.ts';
import type { ReplicationSource } from './replicated-group.ts';

export interface RaftSourceOptions extends Omit<RaftGroupsOptions, 'log' | 'recovered'> {
  /** The first members of the metadata's group on the node that founded the cluster; else empty. */
  readonly founders: readonly string[];
}

const isMemberLog = (log: GroupLog): log is MemberLog => 'persist' in log;

/** Raft groups of a node, from before its log is open. */
export class RaftSource implements ReplicationSource {
  readonly configurationOf = decodeConfiguration;
  readonly payloadOf = encodeConfiguration;
  readonly #options: RaftSourceOptions;
  readonly #recovered = new RecoveredGroups();
  #groups: RaftGroups | undefined;

  constructor(options: RaftSourceOptions) {
    this.#options = options;
  }

  get node(): string {
    return this.#options.node;
  }

  get founders(): readonly string[] {
    return this.#options.founders;
  }

  /** For what other nodes send; undefined until the log is open. */
  get groups(): RaftGroups | undefined {
    return this.#groups;
  }

  recovered(record: LogEntry): void {
    this.#recovered.take(record);
  }

  open(log: GroupLog): RaftGroups {
    assert(isMemberLog(log), 'the log of a member keeps its votes');
    this.#groups = new RaftGroups({ ...this.#options, log, recovered: this.#recovered });
    return this.#groups;
  }
}
