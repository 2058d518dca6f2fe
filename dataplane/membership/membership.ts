import { formatAddress } from '../common/address.ts';
import { noBytes } from '../common/bytes.ts';
import { spawn } from '../common/spawn.ts';
import type { MembershipEvent } from '../gossip/gossip.ts';
import { datagramBytesMax, Opener, Sealer } from '../security/sealed-datagram.ts';
import type { CertifiedPeer } from '../net/session.ts';
import type { Authority } from './authority.ts';
import { Admissions } from './admissions.ts';
import { openClusterPort, sessionLimits } from './cluster-port.ts';
import type { ClusterPort, DatagramTraffic } from './cluster-port.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { localNetwork } from '../gossip/options.ts';
import { ConnectionRefusals } from './connection-refusals.ts';
import { watchClocks } from './clock-watch.ts';
import { Detector, tickMs } from './detector.ts';
import { sayFarewell } from './farewell.ts';
import { MessageRefusedError, NodeRemovedError, PeerUnreachableError } from './errors.ts';
import { identifyPeer } from './identify-peer.ts';
import { KeyDirectory, openSigningKey, statementOf } from './key-directory.ts';
import { Lifetime } from './lifetime.ts';
import { MemberDirectory } from './member-directory.ts';
import { stateKeys } from './member-view.ts';
import type { MemberView } from './member-view.ts';
import { Mesh } from './mesh.ts';
import type { PeerInfo } from './mesh.ts';
import { OrderExchange } from './order-exchange.ts';
import { ordersCodec } from './orders.ts';
import type { SignedOrder } from './orders.ts';
import { PeerBook } from './peer-book.ts';
import type { Quarantine } from './quarantine.ts';
import { QuarantineKeeper } from './quarantine-keeper.ts';
import { SteadinessWatch } from './steadiness-watch.ts';
import { hasSameRoles, Renewal, roleWarningOf } from './renewal.ts';
import { nextStart } from './start-numbers.ts';
import { stateSigner } from './state-signing.ts';
import { ClusterTrust } from './cluster-trust.ts';
import { verifyIntroduction } from './verify-introduction.ts';
import { StatementReader } from './statement-reader.ts';
import { TickTimes } from './tick-times.ts';
import { ringCodec, RingKeeper } from './ring-keeper.ts';
import { RingReader } from './ring-reader.ts';
import { rotateKeys } from './ring-rotation.ts';
import type { MembershipOptions } from './membership-options.ts';

/** Between two looks at the sessions. */
const tendTicks = 2;
/** While the node knows no other one: it has little to do, and should use little. */
const aloneMs = 500;
/** A node that rejoins learns within this time whether another process has its ID. */
const firstContactMs = 2_000;

/**
 * A node's place in its cluster: the mesh of sessions, the failure detector, and what they need (certificate,
 * gossip keys, addresses of peers), renewed while the node runs. Says who *seems* alive; who is a member is
 * decided by consensus.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #authority: Authority | undefined;
  readonly #keys: KeyDirectory;
  readonly #mesh: Mesh;
  readonly #rings: RingReader;
  readonly #admissions: Admissions;
  readonly #instance: string;
  readonly #spki: string;
  readonly #signingKey: ReturnType<typeof openSigningKey>['privateKey'];
  readonly #renewal: Renewal;
  readonly trust: ClusterTrust;
  readonly #lifetime: Lifetime;
  isDraining = false;
  /** Resolves when the node has the gossip keys. */
  readonly #ringReceived = Promise.withResolvers<void>();
  readonly #firstContact = Promise.withResolvers<void>();
  #credentials: StoredCredentials;
  /** Certifies the gossip key; made once for each certificate. */
  #statement: string;
  #ring: RingKeeper | undefined;
  #port: ClusterPort | undefined;
  #detector: Detector | undefined;
  #opener: Opener | undefined;
  #directory: MemberDirectory | undefined;
  #address = '';
  #duplicate: Error | undefined;
  readonly #peers: PeerBook;
  readonly #keeper: QuarantineKeeper;
  readonly #exchange: OrderExchange;
  readonly #steadiness: SteadinessWatch;
  readonly #statements: StatementReader;
  readonly refusals: ConnectionRefusals;

  constructor(options: MembershipOptions) {
    const { formed, files, clock, chance, log } = options;
    this.#options = options;
    this.#lifetime = new Lifetime(options);
    this.#credentials = formed.credentials;
    this.#authority = formed.authority;
    this.#instance = chance.uuid();
    this.refusals = new ConnectionRefusals(clock, log);
    this.#ring = RingKeeper.open(files);
    const { privateKey, spki } = openSigningKey(files);
    [this.#signingKey, this.#spki] = [privateKey, spki];
    this.#statement = statementOf(formed.credentials, spki);
    this.#keys = new KeyDirectory({
      clusterId: this.clusterId,
      authorities: () => this.#credentials.authorities,
      clock,
      nodesMax: localNetwork.membersMax,
    });
    this.#statements = new StatementReader(this.#keys, log);
    this.#peers = new PeerBook(files, this.nodeId);
    this.#keeper = this.#createKeeper();
    this.#steadiness = new SteadinessWatch(this.nodeId, (id, detail) =>
      this.#keeper.note(id, 'flapping', detail),
    );
    this.#mesh = this.#createMesh();
    this.#rings = new RingReader({ mesh: this.#mesh, log, received: (keys) => this.#adopt(keys) });
    this.#exchange = new OrderExchange({ keeper: this.#keeper, mesh: this.#mesh, log });
    this.#admissions = new Admissions({
      authority: formed.authority,
      pinnedHash: () => this.trust.pinnedHash,
      roles: options.roles,
      isReplicated: options.isReplicated === true,
      mesh: this.#mesh,
      members: () => this.members,
      removed: (id) => this.#removalOf(id),
      clock,
      log,
    });
    this.#renewal = new Renewal(
      {
        files,
        clock,
        roles: options.roles,
        certify: options.certify ?? ((request) => this.#admissions.renew(this.nodeId, request)),
        renewed: (credentials) => this.#renewed(credentials),
        failed: ({ message }) =>
          log.warn('the certificate of this node is not renewed yet', { reason: message }),
      },
      this.#credentials,
    );
    this.trust = new ClusterTrust({
      authority: formed.authority,
      credentials: () => this.#credentials,
      renewal: this.#renewal,
      gossip: () => this.#detector?.gossip,
      keys: this.#keys,
      keeper: this.#keeper,
      isRemoved: this.isRemoved,
      announce: () => this.#greetAll(),
      clock,
      log,
    });
  }

  get clusterId(): string {
    return this.#credentials.clusterId;
  }

  get nodeId(): string {
    return this.#credentials.nodeId;
  }

  /** Where other nodes reach this one. */
  get address(): string {
    return this.#address;
  }

  get port(): number | undefined {
    return this.#port?.port;
  }

  get members(): readonly MemberView[] {
    return this.#directory?.views ?? [];
  }

  get admissions(): Admissions {
    return this.#admissions;
  }

  get credentials(): StoredCredentials {
    return this.#credentials;
  }

  get renewal(): Renewal {
    return this.#renewal;
  }

  get ringVersion(): number {
    return this.#ring?.stored.version ?? 0;
  }

  get keyIds(): readonly string[] {
    return this.#ring?.ring.ids ?? [];
  }

  get mesh(): Mesh {
    return this.#mesh;
  }

  get detector(): Detector | undefined {
    return this.#detector;
  }

  /** Why this node serves nobody; undefined when it does. */
  get quarantine(): Quarantine | undefined {
    return this.#keeper.of(this.nodeId);
  }

  /** Who is quarantined, and orders of administrators. */
  get keeper(): QuarantineKeeper {
    return this.#keeper;
  }

  /** Datagrams that were refused, by reason. */
  get refusedFrames(): ReadonlyMap<string, number> {
    return new Map([...(this.#opener?.refused ?? []), ...(this.#detector?.refused ?? [])]);
  }

  get traffic(): DatagramTraffic | undefined {
    return this.#port?.datagrams;
  }

  // ---- life cycle -----------------------------------------------------------------------------

  /** Resolves when the node listens, has the gossip keys, and watches the others. */
  async start(signal: AbortSignal): Promise<void> {
    const { listen, clock, formed, seeds } = this.#options;
    const removal = this.#removalOf(this.nodeId);
    if (removal !== undefined) throw new NodeRemovedError(removal);
    this.#lifetime.endsWith(signal);
    const port = await openClusterPort(
      {
        own: { clusterId: this.clusterId, nodeId: this.nodeId },
        clock,
        ...sessionLimits,
        identify: (certificate) => this.#identify(certificate),
        handle: (incoming, session) => this.#mesh.handle(session, incoming),
        noticed: (session, type, payload) => this.#mesh.noticed(session, type, payload),
        opened: (session, peer, isDialed) => this.#mesh.opened(session, peer, isDialed),
        ended: (session, reason) => this.#mesh.ended(session, reason),
        refused: (address, reason) => this.refusals.note(address, reason),
        join: (payload, address) => this.#admissions.admit(payload, address),
      },
      this.#credentials,
      {
        ...listen,
        datagrams: {
          bytesMax: datagramBytesMax,
          received: (datagram) => this.#detector?.receiveDatagram(datagram),
        },
      },
    );
    this.#port = port;
    this.#address = formatAddress({ host: this.#options.advertise, port: port.port });
    this.#mesh.use(port.transport);
    await this.#keys.accept(this.#statement);
    this.#lifetime.run('the failure detector and the mesh', () => this.#tickAlways());
    if (this.#ring === undefined) await this.#lifetime.until(this.#ringReceived.promise);
    else if (formed.type === 'rejoining' && this.#peers.peers.length + seeds.length > 0) {
      await this.#lifetime.until(
        Promise.race([this.#firstContact.promise, this.#lifetime.pause(firstContactMs)]),
      );
      if (this.#duplicate !== undefined) throw this.#duplicate;
    }
    this.#watch(port);
    this.#lifetime.run('the renewal of the certificate', () =>
      this.#renewal.run(this.#lifetime.signal),
    );
  }

  #watch({ datagrams }: ClusterPort): void {
    const { clock, chance, files } = this.#options;
    const ring = (this.#ring as RingKeeper).ring;
    const { incarnation, sequence } = nextStart(files, clock.timeOfDay());
    const ids = { clusterId: this.clusterId, nodeId: this.nodeId };
    const random = (count: number): Uint8Array => chance.bytes(count);
    const privateKey = this.#signingKey;
    const sealer = new Sealer({ ...ids, ring, privateKey, random, firstSequence: sequence });
    const publicKeyOf = (id: string) => this.#keys.publicKeyOf(id);
    const offered = (id: string, statement: string) => this.#statements.offer(id, statement);
    const [clusterId, isRevoked] = [this.clusterId, this.isRemoved];
    const opener = new Opener({ ...ids, ring, publicKeyOf, isRevoked });
    const detector = new Detector({
      id: this.nodeId,
      address: this.#address,
      incarnation,
      clock,
      chance,
      sealer,
      opener,
      signer: stateSigner({ clusterId, privateKey, keyOf: publicKeyOf, offered }),
      sendDatagram: (datagram, to) => datagrams.send(datagram, to),
      sendReliable: (to, payload) => this.#sendReliable(to, payload),
      changed: (event) => this.#changed(event),
      firstSequence: sequence,
      misbehaved: (id, cause, detail) => this.#keeper.note(id, cause, detail),
    });
    [this.#opener, this.#detector] = [opener, detector];
    this.#directory = new MemberDirectory(detector.gossip, this.#keys, {
      mesh: this.#mesh,
      keeper: this.#keeper,
      clock,
    });
    const { name, roles, version } = this.#options;
    this.describe(stateKeys.name, name);
    this.describe(stateKeys.roles, roles.join(','));
    this.describe(stateKeys.version, version);
    this.describe(stateKeys.statement, this.#statement);
    this.describe(stateKeys.ring, this.#ring?.digest ?? '');
    this.describe(stateKeys.authority, String(this.#authority !== undefined));
    this.#keeper.tick();
    this.#greetAll();
    this.#lifetime.run('the watch over the clocks', () =>
      watchClocks({ clock, mesh: this.#mesh, keeper: this.#keeper, lifetime: this.#lifetime }),
    );
  }

  #greetAll(): void {
    for (const { id, introduction } of this.#mesh.peers) {
      this.#detector?.gossip.greet({ id, address: introduction.address });
    }
    this.#detector?.flush();
  }

  /** Something that the node says of itself to all others. */
  describe(key: string, value: string): void {
    this.#detector?.gossip.state.set(key, value);
  }

  /** A node that drains takes no new clients; the others know it at once. */
  setDraining(isDraining: boolean): void {
    this.isDraining = isDraining;
    this.describe(stateKeys.draining, String(isDraining));
    this.#greetAll();
  }

  /** Others lead in the place of this node, as long as it is not empty; they know it at once. */
  setAilment(text: string): void {
    this.describe(stateKeys.ailment, text);
    this.#greetAll();
  }

  /** Says good-bye, ends all sessions, and stops listening. */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    this.#storePeers();
    if (this.#detector !== undefined && this.#port !== undefined) {
      const detector = this.#detector;
      await sayFarewell({ clock, mesh: this.#mesh, detector });
    }
    this.#lifetime.end(new Error('the node is stopping'));
    this.#mesh.close(new MessageRefusedError('The node is stopping.'));
    await this.#port?.transport.close();
    await this.#port?.datagrams.close();
  }

  // ---- the mesh -------------------------------------------------------------------------------

  #createMesh(): Mesh {
    const { clock, chance, log, measured, name, roles, failed, served } = this.#options;
    return new Mesh({
      own: { clusterId: this.clusterId, nodeId: this.nodeId },
      clock,
      chance,
      introduction: () => ({
        name,
        roles,
        address: this.#address,
        instance: this.#instance,
        statement: this.#statement,
      }),
      verify: (peer, introduction) =>
        verifyIntroduction(peer, introduction, { keys: this.#keys, keeper: this.#keeper }),
      notices: served.notices,
      handlers: {
        ...served.requests,
        gossip: async (payload, { id }) => {
          this.#detector?.receiveReliable(payload, id);
          return noBytes;
        },
        readRing: async () =>
          this.#ring === undefined ? noBytes : ringCodec.encode(this.#ring.stored),
        writeRing: async (payload) => {
          this.#adopt(payload);
          return Buffer.from(this.#ring?.digest ?? '');
        },
        renewCertificate: (payload, peer) => this.#admissions.renewFor(peer, payload),
        succeed: (payload, peer) => this.#admissions.succeedFor(peer, payload),
        admit: (payload, peer) => this.#admissions.admitFor(payload, peer),
        createToken: (payload) => this.#admissions.createTokenFor(payload),
        readOrders: async () => ordersCodec.encode({ orders: this.#keeper.orders.all }),
      },
      connected: (peer) => this.#connected(peer),
      disconnected: ({ id, introduction: { name: of } }, reason) => {
        this.#steadiness.disconnected(id, reason);
        // The system ends the connections of a process that is killed.
        this.#detector?.gossip.doubt(id);
        this.#options.disconnected?.(id);
        const { message } = reason;
        log.info('the connection to a node has ended', { id, name: of, reason: message });
      },
      doubled: (id, detail) => this.#keeper.note(id, 'duplicateId', detail),
      quarantined: (id) => this.#keeper.of(id)?.reason,
      duplicated: (error) => {
        this.#duplicate = error;
        this.#firstContact.resolve();
        failed(error);
      },
      warn: (message, fields) => log.warn(message, fields),
      measured,
    });
  }

  /** Ticks of the failure detector, when there is one, and looks at the sessions: one timer for both. */
  async #tickAlways(): Promise<void> {
    const times = new TickTimes();
    for (let ticks = 0; ; ticks += 1) {
      const isAlone = this.#detector?.isAlone === true;
      if (isAlone || ticks % tendTicks === 0) this.#tend();
      const periodMs = isAlone ? aloneMs : tickMs;
      await this.#lifetime.pause(times.pauseMs(this.#options.clock.now(), periodMs));
      this.#detector?.tick();
    }
  }

  #tend(): void {
    const gossip = this.#detector?.gossip;
    this.#mesh.tend(this.#peers.targets(gossip?.members, this.#options.seeds, this.isRemoved));
    if (this.#ring === undefined) for (const { id } of this.#mesh.peers) void this.#rings.read(id);
    this.#statements.read(gossip);
    this.#storePeers();
    this.#exchange.tick(gossip);
    this.#keeper.tick();
    this.trust.tick(gossip);
  }

  #storePeers(): void {
    const gossip = this.#detector?.gossip;
    if (gossip !== undefined) this.#peers.keep(gossip.members, this.#mesh.peers);
  }

  #connected({ id, introduction }: PeerInfo): void {
    const { log } = this.#options;
    const { name, address } = introduction;
    log.info('a node is connected', { id, name, address });
    this.#firstContact.resolve();
    this.#steadiness.connected(id);
    spawn(
      async () => {
        await this.#rings.read(id);
        this.#detector?.gossip.greet({ id, address });
        this.#detector?.flush();
      },
      (error) => log.warn('a node is not greeted', { id, reason: String(error) }),
    );
  }

  #adopt(payload: Uint8Array): void {
    const ring = ringCodec.decode(payload);
    if (this.#ring === undefined) {
      this.#ring = RingKeeper.receive(this.#options.files, ring);
      this.#ringReceived.resolve();
    } else if (this.#ring.adopt(ring)) {
      this.#options.log.info('the gossip keys have changed', { version: ring.version });
    }
    this.describe(stateKeys.ring, this.#ring.digest);
  }

  #sendReliable(to: string, payload: Uint8Array): void {
    spawn(
      async () => {
        await this.#mesh.request(to, 'gossip', payload);
      },
      // As a datagram that is lost: the protocol sends again what matters.
      () => undefined,
    );
  }

  // ---- quarantine and removal -----------------------------------------------------------------

  #createKeeper(): QuarantineKeeper {
    const { files, clock, log } = this.#options;
    return new QuarantineKeeper({
      clusterId: this.clusterId,
      nodeId: this.nodeId,
      files,
      authorities: () => this.#credentials.authorities,
      clock,
      gossip: () => this.#detector?.gossip,
      log,
      announce: () => this.#greetAll(),
      removed: (order) => this.#removed(order),
      changed: () => this.#options.quarantineChanged(),
    });
  }

  /** Whether an order says that a node never comes back. */
  readonly isRemoved = (id: string): boolean => this.#removalOf(id) !== undefined;

  /** Undefined for a node that may be a member. */
  #removalOf(id: string): string | undefined {
    return this.#keeper.orders.removalSentenceOf(id);
  }

  #removed({ nodeId }: SignedOrder): void {
    const error = new NodeRemovedError(this.#removalOf(nodeId) ?? '');
    this.#keys.forget(nodeId);
    this.#mesh.drop(nodeId, error);
    if (nodeId === this.nodeId) this.#options.failed(error);
  }

  #identify(certificate: string): Promise<CertifiedPeer> {
    const now = this.#options.clock.timeOfDay();
    const { authorities } = this.#credentials;
    return identifyPeer(certificate, { authorities, now, removalOf: (id) => this.#removalOf(id) });
  }

  // ---- what changes ---------------------------------------------------------------------------

  #changed(event: MembershipEvent): void {
    this.#steadiness.changed(event);
    const reason = this.#directory?.note(event) ?? '';
    const { id, status } = event;
    const fields = { id, name: this.#directory?.nameOf(id), status, reason };
    if (status === 'alive') this.#options.log.info('a node is alive', fields);
    else if (status === 'left') this.#options.log.info('a node has left', fields);
    else this.#options.log.warn(`a node is ${status}`, fields);
    const unreachable = new PeerUnreachableError(`The node is ${status}: it ${reason}.`);
    if (status === 'dead') this.#mesh.drop(id, unreachable);
    // It waits for the answers to its farewell, and ends its sessions.
    if (status === 'left') this.#mesh.retire(id, unreachable);
    this.#options.changed({ ...event, reason });
  }

  #renewed(credentials: StoredCredentials): void {
    const [{ roles, log }, before] = [this.#options, this.#credentials.certificate];
    this.#credentials = credentials;
    this.#statement = statementOf(credentials, this.#spki);
    this.#port?.transport.renew(credentials);
    this.#options.renewed(credentials);
    if (credentials.certificate !== before) log.info('the certificate of this node is renewed');
    // A session has the roles of the certificate that it was opened with.
    if (!hasSameRoles(credentials.certificate, before)) this.#mesh.reopen();
    const warning = roleWarningOf(credentials.certificate, roles);
    if (warning !== undefined) log.warn(warning, { roles });
    spawn(
      async () => {
        await this.#keys.accept(this.#statement);
        this.describe(stateKeys.statement, this.#statement);
        // At once: the former statement is believed no longer than the former certificate.
        this.#greetAll();
      },
      (error) => this.#options.failed(error as Error),
    );
  }

  /** Replaces the gossip key on all members; rejects with the reason when one of them does not answer. */
  async rotateKeys(): Promise<void> {
    const keeper = this.#ring;
    if (keeper === undefined) throw new MessageRefusedError('The node has no gossip keys yet.');
    await rotateKeys(keeper, {
      chance: this.#options.chance,
      mesh: this.#mesh,
      members: () => this.members,
      adopt: (ring) => this.#adopt(ringCodec.encode(ring)),
    });
  }
}
