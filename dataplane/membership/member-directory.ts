import type { Clock } from '../common/clock.ts';
import type { GossipNode, MembershipEvent } from '../gossip/gossip.ts';
import { isPresent } from '../gossip/member.ts';
import type { Member, Status } from '../gossip/member.ts';
import type { KeyDirectory } from './key-directory.ts';
import { loadIn, stateKeys } from './member-view.ts';
import type { MemberView } from './member-view.ts';
import type { Mesh } from './mesh.ts';
import type { QuarantineKeeper } from './quarantine-keeper.ts';
import { roles } from './peer-requests.ts';
import type { Role } from './peer-requests.ts';

/** Joins what is known of each member: its status with reason and time, and what it says of itself. */
interface Change {
  readonly reason: string;
  readonly since: number;
}

interface DirectoryParts {
  readonly mesh: Mesh;
  readonly keeper: QuarantineKeeper;
  readonly clock: Pick<Clock, 'timeOfDay'>;
}

export class MemberDirectory {
  readonly #gossip: GossipNode;
  readonly #keys: KeyDirectory;
  readonly #mesh: Mesh;
  readonly #keeper: QuarantineKeeper;
  readonly #clock: Pick<Clock, 'timeOfDay'>;
  readonly #changes = new Map<string, Change>();
  readonly #startedAt: number;

  constructor(gossip: GossipNode, keys: KeyDirectory, { mesh, keeper, clock }: DirectoryParts) {
    this.#gossip = gossip;
    this.#keys = keys;
    this.#mesh = mesh;
    this.#keeper = keeper;
    this.#clock = clock;
    this.#startedAt = clock.timeOfDay();
  }

  /** Remembers why and when, and answers the sentence. */
  note({ id, status, accuser }: MembershipEvent): string {
    const reason = this.#reasonOf(status, accuser);
    this.#changes.set(id, { reason, since: this.#clock.timeOfDay() });
    const known = new Set(this.#gossip.members.map((member) => member.id));
    for (const each of this.#changes.keys()) if (!known.has(each)) this.#changes.delete(each);
    return reason;
  }

  #reasonOf(status: Status, accuser: string | undefined): string {
    const by = accuser === undefined ? 'another node' : this.nameOf(accuser);
    switch (status) {
      case 'alive':
        return 'answers';
      case 'suspect':
        return `does not answer the probes of ${by}`;
      case 'dead':
        return `does not answer, and was declared dead by ${by}`;
      case 'left':
        return 'was stopped in an orderly way';
    }
  }

  nameOf(id: string): string {
    const introduced = this.#mesh.peer(id)?.introduction.name;
    return this.#gossip.state.get(id, stateKeys.name) ?? introduced ?? `node ${id}`;
  }

  get views(): readonly MemberView[] {
    return this.#gossip.members
      .filter(({ id }) => this.#keeper.orders.removalOf(id) === undefined)
      .map((member) => this.#viewOf(member));
  }

  view(id: string): MemberView | undefined {
    const member = this.#gossip.members.find((each) => each.id === id);
    return member === undefined ? undefined : this.#viewOf(member);
  }

  #viewOf(member: Member): MemberView {
    const { id, address, status, incarnation } = member;
    const { state } = this.#gossip;
    const get = (key: string): string => state.get(id, key) ?? '';
    const change = this.#changes.get(id);
    // Who does not answer is dead before anything else.
    const quarantine = isPresent(member) ? this.#keeper.of(id) : undefined;
    return {
      id,
      name: get(stateKeys.name),
      address,
      status: quarantine === undefined ? status : 'quarantined',
      reason: quarantine?.reason ?? change?.reason ?? this.#reasonOf(status, undefined),
      since: quarantine?.since ?? change?.since ?? this.#startedAt,
      causes: quarantine?.causes ?? [],
      incarnation,
      roles: rolesOf(get(stateKeys.roles)),
      version: get(stateKeys.version),
      driver: get(stateKeys.driver),
      admin: get(stateKeys.admin),
      isSelf: id === this.#gossip.id,
      isConnected: this.#mesh.peer(id) !== undefined,
      isAuthority: get(stateKeys.authority) === 'true',
      isDraining: get(stateKeys.draining) === 'true',
      ailment: get(stateKeys.ailment),
      certificateExpiresAt: this.#keys.notAfterOf(id),
      ring: get(stateKeys.ring),
      speaks: get(stateKeys.speaks),
      storage: get(stateKeys.storage),
      load: loadIn(get(stateKeys.load)),
    };
  }
}

const rolesOf = (text: string): readonly Role[] =>
  text.split(',').filter((each): each is Role => (roles as readonly string[]).includes(each));
