import { assert } from '../common/assert.ts';
import { AdminServer } from '../admin/admin-server.ts';
import type { AdminHandlers } from '../admin/admin-server.ts';
import { isDiskFull } from '../membership/cluster-files.ts';
import { stateKeys } from '../membership/member-view.ts';
import type { Membership } from '../membership/membership.ts';
import { JoinRefusedError } from '../membership/errors.ts';
import type { Role } from '../membership/peer-requests.ts';
import type { Succession } from '../membership/succession.ts';
import type { SignedOrder } from '../membership/orders.ts';
import { authorityHash, validityOfText } from '../security/certificates.ts';
import { verifyAdminCertificate } from '../security/certificates.ts';
import { CertificateRefusedError } from '../security/errors.ts';
import { joinTokenLimits } from '../security/join-tokens.ts';
import type { NodeContext } from './context.ts';
import type { DirectoryService } from './directory-service.ts';
import type { Drain } from './drain.ts';
import { listen } from './listen.ts';
import type { MembershipService } from './membership-service.ts';
import type { Service } from './services.ts';

export interface AdminServiceParts {
  readonly directory: DirectoryService;
  readonly membership: MembershipService;
  readonly drain: Drain;
  /** Of the members with data. */
  readonly needs: () => Promise<readonly object[]>;
}

/** The admin API of the node; where it listens is left in the data directory for `npm run admin`. */
export class AdminService implements Service {
  readonly name = 'admin API';
  readonly #context: NodeContext;
  readonly #directory: DirectoryService;
  readonly #service: MembershipService;
  readonly #drain: Drain;
  readonly #needs: AdminServiceParts['needs'];
  #server: AdminServer | undefined;

  constructor(context: NodeContext, { directory, membership, drain, needs }: AdminServiceParts) {
    this.#context = context;
    this.#directory = directory;
    this.#service = membership;
    this.#drain = drain;
    this.#needs = needs;
  }

  async start(): Promise<void> {
    const { config, clock, logger } = this.#context;
    const membership = this.#membership;
    const server = new AdminServer({
      handlers: handlersOf(membership, this.#drain, this.#needs),
      credentials: membership.credentials,
      identify: async (certificate) => {
        const { authorities, clusterId } = membership.credentials;
        const found = await verifyAdminCertificate(certificate, authorities, clock.timeOfDay());
        if (found.clusterId === clusterId) return found.admin;
        throw new CertificateRefusedError(`The certificate is of cluster ${found.clusterId}.`);
      },
      log: (message, fields) => logger.info(message, fields),
    });
    this.#server = server;
    this.#service.onRenewal((credentials) => server.renew(credentials));
    const address = await listen(server.tcp, {
      host: config.bind,
      port: config['admin-port'],
      what: 'the admin API',
      option: 'admin-port',
    });
    membership.describe(stateKeys.admin, address);
    this.#publish(address);
  }

  /** A node on a full disk serves without: `npm run admin` then takes the address by an option. */
  #publish(address: string): void {
    const { files } = this.#directory;
    const text = `${JSON.stringify({ address })}\n`;
    try {
      if (files.read('admin.json') !== text) files.write('admin.json', text);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const { message } = error as Error;
      this.#context.logger.warn('the address of the admin API is not stored', { reason: message });
    }
  }

  get #membership(): Membership {
    const { membership } = this.#service;
    assert(membership !== undefined, 'the node is a member');
    return membership;
  }

  drain(): void {
    this.#server?.tcp.close();
  }

  stop(): void {
    this.#server?.tcp.close();
    this.#server?.tcp.closeAllConnections();
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();

interface TokenWish {
  readonly roles?: readonly Role[];
}

function successionOf(membership: Membership): Succession {
  if (membership.trust.succession !== undefined) return membership.trust.succession;
  const holder = membership.members.find(({ isAuthority }) => isAuthority);
  throw new JoinRefusedError(
    holder === undefined
      ? 'No node holds the authority of this cluster. In Kubernetes the operator does: annotate the PhotonCluster with photondb.io/rotate-authority.'
      : `Node ${holder.name} holds the authority of this cluster. Ask it at ${holder.admin}.`,
  );
}

function membersOf(membership: Membership): object {
  return {
    clusterId: membership.clusterId,
    nodeId: membership.nodeId,
    members: membership.members.map((member) => ({
      id: member.id,
      name: member.name,
      address: member.address,
      status: member.status,
      reason: member.reason,
      since: iso(member.since),
      roles: member.roles,
      version: member.version,
      driver: member.driver,
      admin: member.admin,
      isSelf: member.isSelf,
      isConnected: member.isConnected,
      isAuthority: member.isAuthority,
      isDraining: member.isDraining,
      causes: member.causes,
      speaks: member.speaks,
      storage: member.storage,
      ...(member.load === undefined ? {} : { load: member.load }),
    })),
  };
}

function handlersOf(
  membership: Membership,
  drain: Drain,
  needs: AdminServiceParts['needs'],
): AdminHandlers {
  const keys = () => ({ version: membership.ringVersion, keys: [...membership.keyIds] });
  const certificate = () => validityOfText(membership.credentials.certificate);
  return {
    members: () => membersOf(membership),
    needs: async () => ({ members: await needs() }),
    createJoinToken: async (body) => ({
      ...(await membership.admissions.createToken((body as TokenWish).roles)),
      address: membership.address,
      expiresInSeconds: joinTokenLimits.lifetimeMs / 1_000,
    }),
    orders: () => ({ orders: membership.keeper.orders.all }),
    giveOrder: (body) => {
      membership.keeper.adopt([body as SignedOrder]);
      return { known: membership.keeper.orders.all.length };
    },
    gossipKeys: keys,
    rotateGossipKeys: async () => {
      await membership.rotateKeys();
      return keys();
    },
    certificate: () => {
      const { notBefore, notAfter } = certificate();
      const { failure } = membership.renewal;
      const [authority = ''] = membership.credentials.authorities;
      return {
        authorityHash: authorityHash(authority),
        notBefore: iso(notBefore),
        notAfter: iso(notAfter),
        ...(failure === undefined ? {} : { renewalFailure: failure }),
      };
    },
    renewCertificate: async () => {
      await membership.renewal.renew();
      return { notAfter: iso(certificate().notAfter) };
    },
    authority: () => successionOf(membership).report,
    rotateAuthority: async () => {
      const succession = successionOf(membership);
      await succession.begin();
      return succession.report;
    },
    drain: (body) => {
      const { isDraining } = body as { readonly isDraining: boolean };
      if (isDraining) drain.begin();
      else drain.end();
      return { isDraining };
    },
    drainState: () => drain.report(),
  };
}
