import { PhotonError } from '../../common/errors.ts';
import { readFile, writeFile } from '../../membership/cluster-files.ts';
import type { StoredReplacement } from '../../membership/cluster-files.ts';
import type { Membership } from '../../membership/membership.ts';
import { succeedSelf } from '../../membership/succeed-self.ts';
import type { NodeContext } from '../context.ts';
import type { DirectoryService } from '../directory-service.ts';
import type { MembershipService } from '../membership-service.ts';
import { podOf } from '../pod.ts';
import { askPeer } from '../routing/mesh-peers.ts';
import { needCodec } from '../routing/member-need.ts';
import type { NeedAnswer } from '../routing/member-need.ts';
import { carryOut } from './carry-out.ts';

export interface ReplacementParts {
  readonly context: NodeContext;
  readonly directory: DirectoryService;
  readonly membership: MembershipService;
}

export interface ReplacementWish {
  readonly reason: string;
  /** How long the node waits for leave; undefined when it can do nothing without it. */
  readonly patienceMs: number | undefined;
  /** Ends what uses the data. */
  readonly close: () => Promise<void>;
}

/** `replaced`: a new member, with an empty directory. `unknown`: the cluster has no such member. */
export type ReplacementResult = 'replaced' | 'needed' | 'alone' | 'unknown';

const pauseMs = 1_000;

/**
 * A node that lost what it had acknowledged begins again as a new member: under a new node ID, so that no vote and no
 * acknowledgement of before counts for it, and the others take the former one out of every group. Guarded invariants:
 * it asks first whether the others have everything; what is left of its data is kept; once it gave its node ID up,
 * which is on the medium before anything else changes, it never serves under it, also after a crash.
 */
export class Replacement {
  readonly #parts: ReplacementParts;

  constructor(parts: ReplacementParts) {
    this.#parts = parts;
  }

  async begin({ reason, patienceMs, close }: ReplacementWish): Promise<ReplacementResult> {
    const { clock, logger, progress, signal } = this.#parts.context;
    if (!this.#hasOthers()) return 'alone';
    logger.error('the data of this node is lost: it asks whether the other nodes have everything', {
      reason,
    });
    const until = patienceMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + patienceMs;
    let said: string | undefined;
    for (;;) {
      const why = await this.#attempt(reason, close);
      if (why === undefined) return 'replaced';
      if (why === unknown) return 'unknown';
      if (clock.now() >= until) return 'needed';
      if (why !== said) logger.warn('the node cannot begin again yet', { reason: why });
      said = why;
      progress.become(
        'Starting',
        `the data of this node is lost, and it cannot begin again: ${why}`,
      );
      progress.waited();
      await clock.sleep(pauseMs, signal);
    }
  }

  /** Why it cannot be now. */
  async #attempt(reason: string, close: () => Promise<void>): Promise<string | undefined> {
    const { directory, membership, context } = this.#parts;
    const need = await this.#need();
    if (need !== undefined) return need;
    let given: StoredReplacement;
    try {
      given = await this.#place(reason);
    } catch (error) {
      if (!(error instanceof PhotonError)) throw error;
      return error.message;
    }
    await close();
    writeFile(directory.files, 'replacement', given);
    await membership.restart(() => carryOut(directory, given, context));
    return undefined;
  }

  async #place(reason: string): Promise<StoredReplacement> {
    const { directory, context } = this.#parts;
    const { clock, chance } = context;
    const { files } = directory;
    const { nodeId } = directory.formed.credentials;
    const at = clock.timeOfDay();
    if (podOf(context) !== undefined) return { nodeId, reason, at };
    const stored = readFile(files, 'replacement');
    // Of a node that was killed after it had asked: the authority gives no second place.
    const asked = stored?.nodeId === nodeId ? stored.successor : undefined;
    const successor = asked ?? chance.uuid();
    const wish = { nodeId, reason, at, successor };
    writeFile(files, 'replacement', wish);
    const { admissions, credentials } = this.#membership;
    return { ...wish, next: await succeedSelf({ admissions, credentials, clock }, successor) };
  }

  get #membership(): Membership {
    const { membership } = this.#parts.membership;
    if (membership === undefined) throw new Error('the node is a member');
    return membership;
  }

  #hasOthers(): boolean {
    const { directory, membership } = this.#parts;
    const known = readFile(directory.files, 'peers')?.peers ?? [];
    return known.length > 0 || membership.members.some(({ isSelf }) => !isSelf);
  }

  /** Why the others need what this node has, or have not answered; undefined when they have everything. */
  async #need(): Promise<string | undefined> {
    const { signal } = this.#parts.context;
    const { members, membership } = this.#parts.membership;
    let why = 'no other node with data can be reached';
    for (const { id, name, isSelf, isConnected, roles } of members) {
      if (isSelf || !isConnected || !roles.includes('data')) continue;
      let answer: NeedAnswer;
      try {
        const payload = new Uint8Array();
        const to = { node: id, name: 'readNeed' } as const;
        answer = needCodec.decode(await askPeer(membership?.mesh, to, payload, signal));
      } catch (error) {
        if (!(error instanceof PhotonError)) throw error;
        why = `node ${name} does not say whether it is needed: ${error.message}`;
        continue;
      }
      if (answer.type === 'free') return undefined;
      if (answer.type === 'unknown') return unknown;
      why = answer.why;
      if (answer.type === 'needed') return why;
    }
    return why;
  }
}

const unknown = 'the cluster has no such member';
