import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import { readFile } from '../membership/cluster-files.ts';
import type { StoredCredentials } from '../membership/cluster-files.ts';
import type { MemberView } from '../membership/member-view.ts';
import { stateKeys } from '../membership/member-view.ts';
import { Membership } from '../membership/membership.ts';
import type { Role } from '../membership/peer-requests.ts';
import { RequestTimes } from '../membership/request-times.ts';
import type { NodeContext } from './context.ts';
import { listedNodesAt } from '../kubernetes/nodes-file.ts';
import { quarantineRefusal } from './guarded-environment.ts';
import { identityDirectory } from './identity.ts';
import { podOf } from './pod.ts';
import { certifyInPod } from './pod-formation.ts';
import type { DirectoryService } from './directory-service.ts';
import { listenErrorOf } from './listen.ts';
import { PeerServices } from './routing/peer-services.ts';
import type { Service } from './services.ts';

/** The node among the other nodes of its cluster: seen by them and watching them while it runs. */
const everywhere = new Set(['::', '0.0.0.0']);

/** The host by which other nodes reach this one. */
function advertisedHost({ bind, advertise }: Pick<Config, 'bind' | 'advertise'>): string {
  if (advertise !== '') return advertise;
  if (!everywhere.has(bind)) return bind;
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const others = addresses.filter(({ internal, scopeid }) => !internal && !scopeid);
  const found = others.find(({ family }) => family === 'IPv4') ?? others[0];
  return found?.address ?? '127.0.0.1';
}

export class MembershipService implements Service {
  readonly name = 'membership';
  readonly #context: NodeContext;
  readonly #directory: DirectoryService;
  readonly times = new RequestTimes();
  readonly services = new PeerServices();
  #membership: Membership | undefined;
  readonly #renewals: ((credentials: StoredCredentials) => void)[] = [];
  readonly #disconnects: ((id: string) => void)[] = [];
  readonly #listeners: (() => void)[] = [];

  constructor(context: NodeContext, directory: DirectoryService) {
    this.#context = context;
    this.#directory = directory;
  }

  /** Undefined before the node is a member. */
  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** Where the node listens for other nodes; empty before it does. */
  get address(): string {
    return this.#membership?.address ?? '';
  }

  get members(): readonly MemberView[] {
    return this.#membership?.members ?? [];
  }

  /** Whether an order says that a node never comes back. */
  isRemoved(id: string): boolean {
    return this.#membership?.isRemoved(id) === true;
  }

  /** Why this node serves no clients, in a sentence for them; undefined when it serves them. */
  get refusal(): string | undefined {
    const reason = this.#membership?.quarantine?.reason;
    const name = this.#context.config['node-name'];
    return reason === undefined ? undefined : quarantineRefusal(name, reason);
  }

  /** Whether other nodes are to lead what this one leads: it is quarantined, or drains. */
  get isLeaving(): boolean {
    const { quarantine, isDraining = false } = this.#membership ?? {};
    return isDraining || quarantine !== undefined;
  }

  /** What the node reports of itself has changed. */
  touch(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Called at each change of the status of a member, and of what the node reports of itself. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Called when the session with a node has ended. */
  onDisconnect(listener: (id: string) => void): void {
    this.#disconnects.push(listener);
  }

  /** Called with each new certificate of the node. */
  onRenewal(listener: (credentials: StoredCredentials) => void): void {
    this.#renewals.push(listener);
  }

  async start(): Promise<void> {
    const { bind: host, 'cluster-port': port } = this.#context.config;
    try {
      await this.#startAt(host).catch((error: NodeJS.ErrnoException) => {
        // A machine without IPv6 listens at every address of IPv4.
        if (host !== '::' || error.code !== 'EAFNOSUPPORT') throw error;
        return this.#startAt('0.0.0.0');
      });
    } catch (error) {
      const isOfSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
      if (!isOfSystem) throw error;
      throw listenErrorOf(error, { host, port, what: 'other nodes', option: 'cluster-port' });
    }
  }

  async #startAt(host: string): Promise<void> {
    const { config, version, clock, chance, logger, signal, fail } = this.#context;
    const { formed } = this.#directory;
    const { clusterId, nodeId } = formed.credentials;
    const node = podOf(this.#context);
    const listed = node === undefined ? [] : listedNodesAt(identityDirectory);
    const others = listed.filter(({ name }) => name !== config['node-name']);
    const membership = new Membership({
      formed,
      certify:
        node === undefined
          ? undefined
          : async (request) => ({
              clusterId,
              ...(await certifyInPod(
                { context: this.#context, node },
                { clusterId, nodeId },
                request,
              )),
            }),
      files: this.#directory.files,
      name: config['node-name'],
      roles: config.roles as readonly Role[],
      version,
      listen: { host, port: config['cluster-port'] },
      advertise: advertisedHost(config),
      seeds: [...config.join, ...others.map(({ address }) => address)],
      clock,
      chance,
      log: logger,
      measured: (name, peer, ms, outcome) => this.times.add({ name, peer, ms, outcome }),
      served: this.services,
      isReplicated:
        config.replicated || readFile(this.#directory.files, 'replication') !== undefined,
      renewed: (credentials) => {
        for (const listener of this.#renewals) listener(credentials);
      },
      changed: () => this.touch(),
      disconnected: (id) => {
        for (const listener of this.#disconnects) listener(id);
      },
      quarantineChanged: () => this.touch(),
      failed: fail,
    });
    this.#membership = membership;
    await membership.start(signal);
  }

  /** The node leaves its cluster, changes under which identity it is a member, and comes back. */
  async restart(change: () => void): Promise<void> {
    this.services.stop();
    await this.#membership?.stop();
    change();
    await this.start();
  }

  /** Where drivers connect to this node, told to all others. */
  serveDriversAt(address: string): void {
    this.#membership?.describe(stateKeys.driver, address);
  }

  async stop(): Promise<void> {
    await this.#membership?.stop();
  }
}
