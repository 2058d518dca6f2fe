import { assert } from '../common/assert.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { authorityHash, createAuthority, issueCertificate } from '../security/certificates.ts';
import { issueAdminCertificate, keyHashOf, validityOfText } from '../security/certificates.ts';
import { JoinTokens } from '../security/join-tokens.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredAuthority } from './cluster-files.ts';
import { JoinRefusedError } from './errors.ts';
import { signOrder } from './orders.ts';
import type { Order, SignedOrder } from './orders.ts';
import type { Role } from './peer-requests.ts';
import { signTrust } from './trust.ts';

export interface AuthorityOptions {
  readonly files: ClusterFiles;
  readonly clock: Pick<Clock, 'now' | 'timeOfDay'>;
  readonly chance: Pick<Chance, 'bytes'>;
  readonly certificateLifetimeMs: number;
}

export interface JoinRequest {
  readonly token: string;
  readonly nodeId: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** PKCS #10, PEM. */
  readonly request: string;
}

/** Of a node that lost what it had acknowledged. */
export interface SuccessionRequest {
  /** The node ID that it is to have. */
  readonly successor: string;
  /** PKCS #10, PEM. */
  readonly request: string;
}

export interface Admission {
  readonly clusterId: string;
  readonly certificate: string;
  /** PEM, the one that signs first. */
  readonly authorities: readonly string[];
  /** Of `authorities`; absent as long as the first authority was not replaced. */
  readonly trustVersion?: number;
}

export type AuthorityPhase = 'Stable' | 'Distributing' | 'Renewing';

const authorityLifetimeMs = 3_650 * 86_400_000;
/** An answer to a renewal may be lost, and the node goes on with its former key. */
const keysPerNode = 2;
/** Node IDs that are certified for somebody. */
const nodesMax = 100_000;

const givenUpFor = (nodeId: string, successor: string): JoinRefusedError =>
  new JoinRefusedError(
    `The node ID ${nodeId} was given up: its node is ${successor} now. A copied data directory cannot join: use an empty one.`,
  );

/**
 * The certificate authority of a cluster outside of Kubernetes: on the node that founded it. Guarded
 * invariants: a token admits one node; a node ID is certified for the holder of its key alone, so that no
 * token lets anybody take the place of a member; one that is replaced signs until all nodes trust the next one.
 */
export class Authority {
  readonly #options: AuthorityOptions;
  readonly #tokens: JoinTokens;
  #stored: StoredAuthority;
  /** Signed once for each version. */
  #trustText: { readonly version: number; readonly text: string } | undefined;

  constructor(options: AuthorityOptions, stored: StoredAuthority) {
    this.#options = options;
    this.#tokens = new JoinTokens((count) => options.chance.bytes(count));
    this.#stored = stored;
  }

  static async create(options: AuthorityOptions, clusterId: string): Promise<Authority> {
    const made = await createAuthority(clusterId, options.clock.timeOfDay(), authorityLifetimeMs);
    const stored = { clusterId, ...made, issued: {} };
    writeFile(options.files, 'authority', stored);
    return new Authority(options, stored);
  }

  /** Undefined when this directory holds no authority of the cluster. */
  static open(options: AuthorityOptions, clusterId: string): Authority | undefined {
    const stored = readFile(options.files, 'authority');
    return stored?.clusterId === clusterId ? new Authority(options, stored) : undefined;
  }

  get certificate(): string {
    return this.#stored.certificate;
  }

  /** What a node that joins pins. */
  get hash(): string {
    return authorityHash(this.certificate);
  }

  /** `roles`: that a node may join with; all when it is empty. */
  createToken(roles: readonly Role[] = []): string {
    return this.#tokens.create(this.#options.clock.now(), roles);
  }

  // ---- replacement ----------------------------------------------------------------------------

  get phase(): AuthorityPhase {
    const { next, former = [] } = this.#stored;
    if (next !== undefined) return 'Distributing';
    return former.length > 0 ? 'Renewing' : 'Stable';
  }

  /** PEM: what nodes are to trust, the one that signs first. */
  get trusted(): readonly string[] {
    const { certificate, next, former = [] } = this.#stored;
    return [certificate, ...(next === undefined ? [] : [next.certificate]), ...former];
  }

  get trustedHashes(): readonly string[] {
    return this.trusted.map(authorityHash);
  }

  get trustVersion(): number {
    return this.#stored.trustVersion ?? 0;
  }

  /** What nodes are to trust, signed; undefined as long as the first authority was not replaced. */
  get trustText(): string | undefined {
    const { clusterId, privateKey } = this.#stored;
    const { trusted: authorities, trustVersion: version } = this;
    if (version === 0) return undefined;
    if (this.#trustText?.version !== version) {
      this.#trustText = {
        version,
        text: signTrust({ clusterId, version, authorities }, privateKey),
      };
    }
    return this.#trustText.text;
  }

  /** Node IDs whose newest certificate is valid at a time (milliseconds since 1970). */
  holdersAt(now: number): readonly string[] {
    const { validUntil = {} } = this.#stored;
    return Object.keys(validUntil).filter((id) => (validUntil[id] ?? 0) >= now);
  }

  /** Makes the authority that is to sign. */
  async prepareNext(): Promise<void> {
    const { clusterId } = this.#stored;
    const now = this.#options.clock.timeOfDay();
    const next = await createAuthority(clusterId, now, authorityLifetimeMs);
    if (this.phase === 'Stable') this.#replace({ ...this.#stored, next });
  }

  signWithNext(): void {
    const { next, ...stored } = this.#stored;
    assert(next !== undefined, 'the next authority is there');
    this.#replace({ ...stored, ...next, former: [this.certificate] });
  }

  dropFormer(): void {
    this.#replace({ ...this.#stored, former: [] });
  }

  #replace(stored: StoredAuthority): void {
    const next = { ...stored, trustVersion: this.trustVersion + 1 };
    writeFile(this.#options.files, 'authority', next);
    this.#stored = next;
  }

  // ---- certificates ---------------------------------------------------------------------------

  /** Uses the token up, and certifies the node. Throws with the reason. */
  async admit({
    token,
    nodeId,
    roles,
    request,
  }: Pick<JoinRequest, 'token' | 'nodeId' | 'roles' | 'request'>): Promise<Admission> {
    this.#tokens.redeem(token, roles, this.#options.clock.now());
    const admission = await this.#certify(nodeId, request, roles);
    const known = this.#stored.issued[nodeId];
    if (known !== undefined && !known.includes(keyHashOf(admission.certificate))) {
      throw new JoinRefusedError(
        `The node ID ${nodeId} belongs to another node, which has another key. A copied data directory cannot join: use an empty one.`,
      );
    }
    this.#remember(nodeId, admission.certificate, roles);
    return admission;
  }

  /**
   * For a node that has proven its identity with its present certificate: with the roles that it was admitted with,
   * whatever it says. `said` counts once, for a node that was admitted before certificates named roles.
   */
  renew(nodeId: string, request: string, said: readonly Role[]): Promise<Admission> {
    const successor = this.#stored.successors?.[nodeId];
    if (successor !== undefined) throw givenUpFor(nodeId, successor);
    return this.certify(nodeId, request, this.#rolesOf(nodeId, said));
  }

  /**
   * For a node that has proven its identity with its present certificate, and begins again under another ID. A node ID
   * has one successor, so that no node gets several places by it; the same wish may be repeated.
   */
  async succeed(
    nodeId: string,
    { successor, request }: SuccessionRequest,
    said: readonly Role[],
  ): Promise<Admission> {
    const { successors = {}, issued } = this.#stored;
    const known = successors[nodeId];
    if (known !== undefined && known !== successor) throw givenUpFor(nodeId, known);
    if (known === undefined && issued[successor] !== undefined) {
      throw new JoinRefusedError(`The node ID ${successor} belongs to another node.`);
    }
    this.#stored = { ...this.#stored, successors: { ...successors, [nodeId]: successor } };
    return this.certify(successor, request, this.#rolesOf(nodeId, said));
  }

  #rolesOf(nodeId: string, said: readonly Role[]): readonly string[] {
    return this.#stored.roles?.[nodeId] ?? said;
  }

  /** For this node itself, whose roles are those of its configuration. */
  async certify(nodeId: string, request: string, roles: readonly string[]): Promise<Admission> {
    const admission = await this.#certify(nodeId, request, roles);
    this.#remember(nodeId, admission.certificate, roles);
    return admission;
  }

  /** For a client of the admin API; PEM. */
  issueAdmin(admin: string, request: string, lifetimeMs: number): Promise<string> {
    const { clusterId } = this.#stored;
    const identity = { clusterId, admin };
    const now = this.#options.clock.timeOfDay();
    return issueAdminCertificate(this.#stored, request, { identity, now, lifetimeMs });
  }

  /** What an administrator orders, for all members to verify. */
  signOrder(order: Omit<Order, 'clusterId'>): SignedOrder {
    const { clusterId, privateKey } = this.#stored;
    return signOrder({ ...order, clusterId }, privateKey);
  }

  async #certify(nodeId: string, request: string, roles: readonly string[]): Promise<Admission> {
    const { clusterId } = this.#stored;
    const certificate = await issueCertificate(this.#stored, request, {
      identity: { clusterId, nodeId },
      roles,
      now: this.#options.clock.timeOfDay(),
      lifetimeMs: this.#options.certificateLifetimeMs,
    });
    const { trusted: authorities, trustVersion } = this;
    const version = trustVersion === 0 ? {} : { trustVersion };
    return { clusterId, certificate, authorities, ...version };
  }

  #remember(nodeId: string, certificate: string, roles: readonly string[]): void {
    const { issued, roles: recorded = {}, validUntil = {} } = this.#stored;
    const known = issued[nodeId] ?? [];
    const hash = keyHashOf(certificate);
    if (known.length === 0 && Object.keys(issued).length >= nodesMax) {
      throw new JoinRefusedError(
        `This cluster has certified ${nodesMax} nodes, which is the limit.`,
      );
    }
    const keys = [hash, ...known.filter((each) => each !== hash)].slice(0, keysPerNode);
    this.#stored = {
      ...this.#stored,
      issued: { ...issued, [nodeId]: keys },
      roles: { ...recorded, [nodeId]: roles },
      validUntil: {
        ...validUntil,
        [nodeId]: validityOfText(certificate).notAfter,
      },
    };
    writeFile(this.#options.files, 'authority', this.#stored);
  }
}
