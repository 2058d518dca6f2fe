import type { Clock } from '../common/clock.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { Accusations, accusationsIn } from './accusations.ts';
import { isDiskFull, readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredQuarantine } from './cluster-files.ts';
import { stateKeys } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';
import { codec, text } from './messages.ts';
import { OrderBook } from './order-book.ts';
import type { SignedOrder } from './orders.ts';
import { quarantinedAmong } from './quarantine.ts';
import type { OwnQuarantine, Quarantine } from './quarantine.ts';
import type { ObservedCause } from './quarantine-causes.ts';

export interface QuarantineKeeperOptions {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly files: ClusterFiles;
  readonly authorities: () => readonly string[];
  readonly clock: Clock;
  readonly gossip: () => GossipNode | undefined;
  readonly log: MembershipLog;
  /** Something that the others have to know was written into the state of this node. */
  readonly announce: () => void;
  /** A node was removed from the cluster. */
  readonly removed: (order: SignedOrder) => void;
  /** Who is quarantined has changed. */
  readonly changed: () => void;
}

const detailCharactersMax = 512;
const ownCodec = codec<OwnQuarantine>('quarantine', {
  detail: text(detailCharactersMax),
  since: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
});

const textOf = ({ detail, since }: OwnQuarantine): string =>
  Buffer.from(ownCodec.encode({ detail, since })).toString();

function ownIn(value: string | undefined): OwnQuarantine | undefined {
  if (value === undefined || value === '') return undefined;
  try {
    return ownCodec.decode(encodeUtf8(value));
  } catch {
    return undefined;
  }
}

/**
 * Who is quarantined and who was removed, as this member knows it: collects its own evidence, tells the others what
 * it accuses nodes of, and carries out orders of administrators. Guarded invariant: what the node says of itself
 * and the orders that it knows outlive its process; its accusations do not.
 */
export class QuarantineKeeper {
  readonly orders: OrderBook;
  readonly #options: QuarantineKeeperOptions;
  readonly #accusations = new Accusations();
  #own: StoredQuarantine | undefined;
  #quarantined: ReadonlyMap<string, Quarantine> = new Map();

  constructor(options: QuarantineKeeperOptions) {
    this.#options = options;
    this.orders = new OrderBook(options);
    this.#own = readFile(options.files, 'quarantine');
  }

  of(id: string): Quarantine | undefined {
    return this.#quarantined.get(id);
  }

  /** Evidence that this node has seen itself. */
  note(about: string, cause: ObservedCause, detail: string): void {
    const { nodeId, clock } = this.#options;
    if (about !== nodeId) this.#accusations.note(about, cause, detail, clock.timeOfDay());
  }

  /**
   * The log of this node is damaged: it serves nobody until an administrator releases it. The same damage is not
   * held against it again then.
   */
  quarantineSelf(reason: string): void {
    const detail = reason.slice(0, detailCharactersMax);
    if (this.#own?.isReleased === false || this.#own?.detail === detail) return;
    this.#store({ detail, since: this.#options.clock.timeOfDay(), isReleased: false });
    this.tick();
  }

  #store(own: StoredQuarantine): void {
    const { detail, since, isReleased } = own;
    try {
      writeFile(this.#options.files, 'quarantine', { detail, since, isReleased });
    } catch (error) {
      // The next start finds the damage again; a release would be lost.
      if (isReleased || !isDiskFull(error)) throw error;
    }
    this.#own = own;
  }

  /** Takes over orders of administrators; throws an OrderRefusedError, and takes over none then. */
  adopt(orders: readonly SignedOrder[]): void {
    for (const order of this.orders.adopt(orders)) this.#carryOut(order);
    this.tick();
  }

  #carryOut(order: SignedOrder): void {
    const { type, nodeId: id, reason } = order;
    const { nodeId, log, removed } = this.#options;
    log.warn('an administrator has ordered', { order: type, id, reason });
    if (type === 'remove') removed(order);
    if (type !== 'release') return;
    this.#accusations.clear(id);
    if (id !== nodeId || this.#own === undefined) return;
    this.#store({ ...this.#own, isReleased: true });
  }

  /** Says what has changed, and looks at what the others say; to be called often. */
  tick(): void {
    const gossip = this.#options.gossip();
    if (gossip === undefined) return;
    const now = this.#options.clock.timeOfDay();
    const own = this.#own?.isReleased === false ? textOf(this.#own) : '';
    const said = [
      this.#say(gossip, stateKeys.accusations, this.#accusations.textAt(now)),
      this.#say(gossip, stateKeys.quarantine, own),
      this.#say(gossip, stateKeys.orders, this.orders.digest),
    ];
    if (said.includes(true)) this.#options.announce();
    this.#judge(gossip);
  }

  #say(gossip: GossipNode, key: string, value: string): boolean {
    if ((gossip.state.get(gossip.id, key) ?? '') === value) return false;
    gossip.state.set(key, value);
    return true;
  }

  #judge(gossip: GossipNode): void {
    const { state } = gossip;
    const members = gossip.members
      .filter(({ id }) => this.orders.removalOf(id) === undefined)
      .map(({ id, status }) => ({
        id,
        status,
        accusations: accusationsIn(state.get(id, stateKeys.accusations)),
        own: ownIn(state.get(id, stateKeys.quarantine)),
        ordered: this.orders.quarantineOf(id),
      }));
    const before = this.#quarantined;
    this.#quarantined = quarantinedAmong(members);
    if (this.#tell(before, this.#quarantined, state)) this.#options.changed();
  }

  /** Answers whether there was a change. */
  #tell(
    before: ReadonlyMap<string, Quarantine>,
    after: ReadonlyMap<string, Quarantine>,
    state: GossipNode['state'],
  ): boolean {
    const { log } = this.#options;
    const fieldsOf = (id: string) => ({ id, name: state.get(id, stateKeys.name) ?? '' });
    let isChanged = false;
    for (const [id, { reason, causes }] of after) {
      if (before.get(id)?.reason === reason) continue;
      isChanged = true;
      if (before.get(id)?.causes.join() === causes.join()) continue;
      log.warn('a node is quarantined', { ...fieldsOf(id), causes, reason });
    }
    for (const id of before.keys()) {
      if (after.has(id)) continue;
      isChanged = true;
      log.info('a node is released from quarantine', fieldsOf(id));
    }
    return isChanged;
  }
}
