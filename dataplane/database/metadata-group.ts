import type { Applier } from '../apply/applier.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import { InTurn } from '../common/in-turn.ts';
import { applyMetadata } from '../metadata/apply.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import type { MetadataState } from '../metadata/state.ts';
import { entryKind, onlyTerm, metadataGroup } from '../replication/entry-kind.ts';
import { isRefusal } from '../replication/errors.ts';
import type { GroupLog } from '../replication/log.ts';

const encodeMetadata = (command: MetadataCommand): Uint8Array =>
  encodeUtf8(JSON.stringify(command));

/** Changes of databases, tables, indexes and users, one after the other through the log. */
export class MetadataGroup {
  readonly #log: GroupLog;
  readonly #applier: Applier;
  readonly #signal: AbortSignal;
  readonly #changed: (state: MetadataState) => void;
  #state: MetadataState;
  #nextIndex: number;
  readonly #turns = new InTurn();

  constructor(
    start: {
      readonly state: MetadataState;
      readonly nextIndex: number;
      /** Ends waits for the log. */
      readonly signal: AbortSignal;
    },
    log: GroupLog,
    applier: Applier,
    changed: (state: MetadataState) => void,
  ) {
    this.#state = start.state;
    this.#nextIndex = start.nextIndex;
    this.#signal = start.signal;
    this.#log = log;
    this.#applier = applier;
    this.#changed = changed;
  }

  get state(): MetadataState {
    return this.#state;
  }

  /** Resolves when the change is committed, with the state after it; or with why it is refused. */
  change(command: MetadataCommand): Promise<MetadataState | Refused> {
    return this.#turns.run(() => this.#changeNow(command));
  }

  async #changeNow(command: MetadataCommand): Promise<MetadataState | Refused> {
    const result = applyMetadata(this.#state, command);
    if (result.type === 'refused') return result;
    // An entry that the log refused would leave a gap behind it.
    while (this.#log.full) await this.#log.room(this.#signal);
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    const payload = encodeMetadata(command);
    const entry = { group: metadataGroup, term: onlyTerm, index, kind: entryKind.command, payload };
    await this.#log.append([entry]).catch((error: unknown) => {
      if (isRefusal(error)) this.#nextIndex = index;
      throw error;
    });
    this.#state = result.state;
    this.#applier.push({ type: 'metadata', index, state: result.state });
    this.#changed(result.state);
    return result.state;
  }
}
