import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { LoginGuard } from '../security/login-guard.ts';
import { pemCharactersMax } from '../security/certificates.ts';
import type { Admission, Authority, JoinRequest, SuccessionRequest } from './authority.ts';
import { JoinRefusedError, NodeRemovedError } from './errors.ts';
import { admissionMessage, joinMessage } from './join.ts';
import type { MemberView } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';
import type { Mesh, PeerInfo } from './mesh.ts';
import { codec, list, text, uuid } from './messages.ts';
import { roles } from './peer-requests.ts';
import type { Role } from './peer-requests.ts';

export interface AdmissionsOptions {
  /** Of this node, by its configuration. */
  readonly roles: readonly Role[];
  /** On the node that holds it. */
  readonly authority: Authority | undefined;
  /** Of the authority that has certified this node at present. */
  readonly pinnedHash: () => string;
  /** Several nodes may have data. */
  readonly isReplicated: boolean;
  readonly mesh: Pick<Mesh, 'request'>;
  readonly members: () => readonly MemberView[];
  /** Why a node may never be a member again; undefined when it may. */
  readonly removed: (nodeId: string) => string | undefined;
  readonly clock: Clock;
  readonly log: MembershipLog;
}

/** The wish for a join token. */
const tokenMessage = codec<{ readonly roles: readonly Role[] }>('join token', {
  roles: list({ enum: roles }, roles.length),
});

const successionMessage = codec<SuccessionRequest>('succession', {
  successor: uuid,
  request: text(pemCharactersMax),
});

/** In place of a user's name: attempts to join are counted for each address. */
const guarded = 'join';

/**
 * Certificates for nodes that join and for members: given by the node that holds the authority, asked for
 * through any node. Guarded invariant: a node that has proven nothing yet costs a bounded number of attempts
 * for its address, and what it asks is looked at before its token is used up.
 */
export class Admissions {
  readonly #options: AdmissionsOptions;
  readonly #guard: LoginGuard;

  constructor(options: AdmissionsOptions) {
    this.#options = options;
    this.#guard = new LoginGuard(options.clock);
  }

  /** A node without a certificate asks. */
  async admit(payload: Uint8Array, address: string): Promise<Uint8Array> {
    const gate = this.#guard.at(address);
    if (gate.waitMs(guarded) > 0) {
      throw new JoinRefusedError(
        `Too many attempts to join from ${address} were refused. Try again in a minute.`,
      );
    }
    try {
      const admitted = await this.#admitNow(payload, address);
      gate.succeeded(guarded);
      return admitted;
    } catch (error) {
      gate.failed(guarded);
      throw error;
    }
  }

  async #admitNow(payload: Uint8Array, address: string): Promise<Uint8Array> {
    const request = joinMessage.decode(payload);
    this.#requirePlace(request);
    const { authority, log } = this.#options;
    if (authority === undefined) return this.#askAuthority('admit', payload);
    const admission = await authority.admit(request);
    const { nodeId, name, roles } = request;
    log.info('a node joins', { id: nodeId, name, roles, address });
    return admissionMessage.encode(admission);
  }

  /** Another node passes a request on. */
  async admitFor(payload: Uint8Array, { introduction }: PeerInfo): Promise<Uint8Array> {
    if (this.#options.authority === undefined) throw this.#noAuthority();
    return this.#admitNow(payload, `through ${introduction.name}`);
  }

  #requirePlace({ nodeId, name, roles }: JoinRequest): void {
    this.#requireNotRemoved(nodeId);
    const { isReplicated } = this.#options;
    const others = this.#options.members().filter(({ id, status }) => {
      const isGone = status === 'dead' || status === 'left';
      return id !== nodeId && !isGone;
    });
    const namesake = others.find((member) => member.name === name);
    if (namesake !== undefined) {
      throw new JoinRefusedError(
        `A node named ${name} is a member already: node ${namesake.id} at ${namesake.address}. Choose another name with --node-name.`,
      );
    }
    const data = others.find((member) => member.roles.includes('data'));
    if (!isReplicated && roles.includes('data') && data !== undefined) {
      throw new JoinRefusedError(
        `The data of this cluster is on node ${data.name} alone: it was started without --replicated. Restart it with --replicated first, or join with --roles coordinator,consensus.`,
      );
    }
  }

  #requireNotRemoved(nodeId: string): void {
    const why = this.#options.removed(nodeId);
    if (why !== undefined) throw new NodeRemovedError(why);
  }

  /** For this node itself. */
  async renew(nodeId: string, request: string): Promise<Admission> {
    const { authority, roles } = this.#options;
    if (authority !== undefined) return authority.certify(nodeId, request, roles);
    return admissionMessage.decode(
      await this.#askAuthority('renewCertificate', encodeUtf8(request)),
    );
  }

  /** For a member that has proven its identity by its session. */
  async renewFor({ id: nodeId, introduction }: PeerInfo, request: Uint8Array): Promise<Uint8Array> {
    const { authority, log } = this.#options;
    if (authority === undefined) throw this.#noAuthority();
    this.#requireNotRemoved(nodeId);
    const admission = await authority.renew(nodeId, decodeUtf8(request), introduction.roles);
    log.info('the certificate of a node is renewed', { id: nodeId });
    return admissionMessage.encode(admission);
  }

  /** For this node itself, which is to have another node ID. */
  async succeed(nodeId: string, wish: SuccessionRequest): Promise<Admission> {
    const { authority, roles: own } = this.#options;
    if (authority !== undefined) return authority.succeed(nodeId, wish, own);
    return admissionMessage.decode(
      await this.#askAuthority('succeed', successionMessage.encode(wish)),
    );
  }

  /** For a member that has proven its identity by its session. */
  async succeedFor({ id: nodeId, introduction }: PeerInfo, payload: Uint8Array) {
    const { authority, log } = this.#options;
    if (authority === undefined) throw this.#noAuthority();
    this.#requireNotRemoved(nodeId);
    const wish = successionMessage.decode(payload);
    const admission = await authority.succeed(nodeId, wish, introduction.roles);
    const { name } = introduction;
    log.warn('a node lost its data and begins again as a new member', {
      id: wish.successor,
      name,
      formerId: nodeId,
    });
    return admissionMessage.encode(admission);
  }

  /** A join token of the authority, with the hash to pin by a node that joins through this one. */
  async createToken(
    roles: readonly Role[] = [],
  ): Promise<{ readonly token: string; readonly authorityHash: string }> {
    const asked = tokenMessage.encode({ roles });
    const answer =
      this.#options.authority === undefined
        ? await this.#askAuthority('createToken', asked)
        : await this.createTokenFor(asked);
    return {
      token: decodeUtf8(answer),
      authorityHash: this.#options.pinnedHash(),
    };
  }

  async createTokenFor(payload: Uint8Array): Promise<Uint8Array> {
    const { authority, log } = this.#options;
    if (authority === undefined) throw this.#noAuthority();
    const { roles: allowed } = tokenMessage.decode(payload);
    const token = authority.createToken(allowed);
    // The identifier of a token may be logged, its secret not.
    log.info('a join token is made', {
      id: token.split('.')[0],
      roles: allowed,
    });
    return encodeUtf8(token);
  }

  #askAuthority(
    name: 'admit' | 'renewCertificate' | 'createToken' | 'succeed',
    payload: Uint8Array,
  ): Promise<Uint8Array> {
    const holder = this.#options
      .members()
      .filter(({ isAuthority, isSelf }) => isAuthority && !isSelf)
      // The former node ID of one that began again is known for a while.
      .toSorted((one, other) => Number(other.isConnected) - Number(one.isConnected))
      .at(0);
    if (holder === undefined) throw this.#noAuthority();
    return this.#options.mesh.request(holder.id, name, payload);
  }

  #noAuthority(): JoinRefusedError {
    return new JoinRefusedError(
      'The node that holds the authority of the cluster cannot be reached from here. Start it, or ask it directly.',
    );
  }
}
