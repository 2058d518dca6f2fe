import { spawn } from '../common/spawn.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { localNetwork } from '../gossip/options.ts';
import type { KeyDirectory } from './key-directory.ts';
import { stateKeys } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';

/**
 * Keys of nodes that others have told of, from the gossiped state; a node's own introduction comes with the
 * first session. Guarded invariant: each text is verified once, whoever repeats it.
 */
const textsMax = 2 * localNetwork.membersMax;

export class StatementReader {
  readonly #keys: KeyDirectory;
  readonly #log: MembershipLog;
  readonly #seen = new Set<string>();

  constructor(keys: KeyDirectory, log: MembershipLog) {
    this.#keys = keys;
    this.#log = log;
  }

  /** Verifies what is new. */
  read(gossip: GossipNode | undefined): void {
    for (const { id } of gossip?.members ?? []) {
      const statement = gossip?.state.get(id, stateKeys.statement);
      if (statement !== undefined) this.offer(id, statement);
    }
  }

  /** A statement that came with the state of a node, whose key is not known without it. */
  offer(id: string, statement: string): void {
    if (this.#keys.has(id, statement) || this.#seen.has(statement)) return;
    if (this.#seen.size >= textsMax) this.#seen.clear();
    this.#seen.add(statement);
    this.#accept(id, statement);
  }

  #accept(id: string, statement: string): void {
    spawn(
      async () => {
        await this.#keys.accept(statement);
      },
      (error) =>
        this.#log.warn('the key of a node is refused', { id, reason: (error as Error).message }),
    );
  }
}
