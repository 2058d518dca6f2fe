import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import { entryBytes } from '../raft/entry.ts';
import type { Entry } from '../raft/entry.ts';
import type { Fetch } from '../raft/ready.ts';
import type { MemberLog } from './log.ts';
import { raftEntry } from './member-records.ts';
import type { RaftGroup } from './raft-group.ts';

/** Reads of the log at a time: each has a segment in memory, and others read, too. */
const readsMax = 4;
/** After a read that failed, or found nothing. */
const retryMs = 200;

interface Wanted {
  readonly group: RaftGroup;
  readonly fetch: Fetch;
}

/** Entries that left the memory, for members that are behind. */
export class LogFetcher {
  readonly #log: MemberLog;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #fetched: (group: RaftGroup) => void;
  readonly #waiting: Wanted[] = [];
  #reading = 0;

  constructor(
    log: MemberLog,
    parts: {
      readonly clock: Clock;
      readonly signal: AbortSignal;
      fetched(group: RaftGroup): void;
    },
  ) {
    this.#log = log;
    this.#clock = parts.clock;
    this.#signal = parts.signal;
    this.#fetched = (group) => parts.fetched(group);
  }

  /** At most one for each member of each group: the machine asks once. */
  fetch(group: RaftGroup, fetch: Fetch): void {
    this.#waiting.push({ group, fetch });
    this.#next();
  }

  #next(): void {
    if (this.#reading >= readsMax || this.#signal.aborted) return;
    const wanted = this.#waiting.shift();
    if (wanted === undefined) return;
    this.#reading += 1;
    spawn(
      async () => {
        await this.#serve(wanted);
        this.#reading -= 1;
        this.#next();
      },
      // Only the end of the node interrupts it.
      () => undefined,
    );
  }

  async #serve({ group, fetch }: Wanted): Promise<void> {
    const { member, from } = fetch;
    const entries = await this.#read(group, fetch);
    if (entries?.length === 0) await this.#clock.sleep(retryMs, this.#signal);
    group.raft.fetched(member, from, entries);
    this.#fetched(group);
  }

  /** Undefined when they were released; empty when they cannot be read now. */
  async #read(group: RaftGroup, { from, to }: Fetch): Promise<readonly Entry[] | undefined> {
    const entries: Entry[] = [];
    let bytes = 0;
    try {
      for await (const record of this.#log.read({ group: group.group, from, to }, this.#signal)) {
        const entry = raftEntry({ ...record, payload: Uint8Array.from(record.payload) });
        entries.push(entry);
        bytes += entryBytes(entry);
        if (bytes >= group.raft.options.appendBytesMax) break;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      if (entries.length === 0 && isGone(error)) return undefined;
    }
    return entries;
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'wal.entries_gone';
