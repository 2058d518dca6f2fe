import { join } from 'node:path';
import { assert } from '../common/assert.ts';
import type { OwnNode } from '../kubernetes/own-node.ts';
import { readFile, writeFile } from '../membership/cluster-files.ts';
import type { StoredCredentials } from '../membership/cluster-files.ts';
import { formCluster } from '../membership/form-cluster.ts';
import type { FormedCluster, FormOptions } from '../membership/form-cluster.ts';
import type { FormationFacts } from '../membership/formation.ts';
import { FormationError } from '../membership/errors.ts';
import { joinCluster, sayWhyNot } from '../membership/join.ts';
import { exchangeJoin } from '../net/join-exchange.ts';
import { isUnused, lockDirectory } from '../storage/directory.ts';
import type { DataDirectory, LockedDirectory } from '../storage/directory.ts';
import { setAside } from '../storage/set-aside.ts';
import { TextFiles } from '../storage/text-files.ts';
import type { NodeContext } from './context.ts';
import { podOf } from './pod.ts';
import { awaitLeave, formInPod, identify } from './pod-formation.ts';
import type { PodFormationOptions } from './pod-formation.ts';
import { carryOut } from './replacement/carry-out.ts';
import type { Service } from './services.ts';

/**
 * Whose data directory it is, and which cluster its node belongs to: locked, founded or joined when it is
 * new, and held until the end. What belongs to the cluster is on the medium before the identity says so.
 */
const joinTimeoutMs = 10_000;
const knockTimeoutMs = 2_000;
const certificateLifetimeMs = 7 * 86_400_000;

type Owner = Parameters<LockedDirectory['require']>[0];

const steps: Readonly<Record<FormedCluster['type'], string>> = {
  founding: 'founding a cluster',
  joining: 'joining the cluster',
  rejoining: 'rejoining the cluster',
};

export class DirectoryService implements Service {
  readonly name = 'data directory';
  readonly #context: NodeContext;
  readonly files: TextFiles;
  #directory: DataDirectory | undefined;
  #locked: LockedDirectory | undefined;
  #formed: FormedCluster | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
    this.files = new TextFiles(join(context.config['data-dir'], 'cluster'));
  }

  /** The node ID; undefined before it is known. */
  get id(): string | undefined {
    return this.#directory?.identity.id;
  }

  get clusterId(): string | undefined {
    return this.#directory?.identity.clusterId;
  }

  /** For services that start after this one. */
  get path(): string {
    assert(this.#directory !== undefined, 'the directory is open');
    return this.#directory.path;
  }

  get formed(): FormedCluster {
    assert(this.#formed !== undefined, 'the cluster is formed');
    return this.#formed;
  }

  get dataDirectory(): string {
    return this.#context.config['data-dir'];
  }

  /** The node continues under another node ID, with an empty directory. */
  become(credentials: StoredCredentials): void {
    assert(this.#locked !== undefined, 'the directory is locked');
    this.#directory = this.#locked.settle(this.#owner, credentials);
    const { authority } = this.#formed ?? { authority: undefined };
    this.#formed = { type: 'rejoining', credentials, authority };
  }

  /** The directory is nobody's any more. */
  discardIdentity(at: number): void {
    // Without an identity nothing of the rest counts.
    for (const name of ['IDENTITY', 'cluster']) setAside(this.dataDirectory, [name], at);
  }

  get #owner(): Owner {
    const { config } = this.#context;
    return { cluster: config['cluster-name'], node: config['node-name'] };
  }

  /** A node that was killed while it began again goes on with that. */
  #resumeReplacement(): void {
    const given = readFile(this.files, 'replacement');
    if (given === undefined) return;
    using locked = lockDirectory(this.dataDirectory);
    const isWish = given.successor !== undefined && given.next === undefined;
    if (locked.found === undefined) setAside(this.dataDirectory, ['cluster'], given.at);
    else if (locked.found.id !== given.nodeId) this.files.remove('replacement.json');
    else if (!isWish) {
      this.#locked = locked;
      try {
        carryOut(this, given, this.#context);
      } finally {
        this.#locked = undefined;
      }
    }
  }

  async start(): Promise<void> {
    const { logger } = this.#context;
    const path = this.dataDirectory;
    this.#resumeReplacement();
    const node = podOf(this.#context);
    const pod = node === undefined ? undefined : this.#podOptions(node);
    if (pod !== undefined && isUnused(path)) await awaitLeave(pod);
    this.#context.progress.missingId = undefined;
    const locked = lockDirectory(path);
    this.#locked = locked;
    const owner = this.#owner;
    locked.require(owner);
    const formed =
      pod === undefined ? await this.#form(locked, owner) : await this.#formIn(pod, locked, owner);
    const { nodeId, clusterId } = formed.credentials;
    this.#formed = formed;
    logger.info('the node belongs to its cluster', { formation: formed.type, nodeId, clusterId });
  }

  async #form(locked: LockedDirectory, owner: Owner): Promise<FormedCluster> {
    const formed = await formCluster(this.#formOptions(locked)).catch(async (error: unknown) => {
      if (error instanceof FormationError) await this.#sayWhyNot(error);
      throw error;
    });
    this.#directory = locked.settle(owner, formed.credentials);
    return formed;
  }

  /** In the log of the cluster that the node was to join: whoever runs that one sees who came and why not. */
  #sayWhyNot({ message }: FormationError): Promise<void> {
    const { config } = this.#context;
    const [cause = ''] = message.split('. ');
    const reason = `Node ${config['node-name']}: ${cause}.`;
    const knock = { reason, timeoutMs: knockTimeoutMs, exchange: exchangeJoin };
    return sayWhyNot({ addresses: config.join, ...knock });
  }

  async #formIn(
    pod: PodFormationOptions,
    locked: LockedDirectory,
    owner: Owner,
  ): Promise<FormedCluster> {
    const identified = await identify(pod, locked);
    // Before the identity is on the medium: whoever has one without this file joins.
    if (locked.found === undefined) this.#settleReplication(identified.isFounder);
    this.#directory = locked.settle(owner, identified.identity);
    this.#context.progress.step(steps[identified.isFounder ? 'founding' : 'rejoining']);
    return formInPod(pod, identified);
  }

  #settleReplication(isFounder: boolean): void {
    const { replicated, roles } = this.#context.config;
    if (replicated && roles.includes('data')) writeFile(this.files, 'replication', { isFounder });
  }

  #podOptions(node: OwnNode): PodFormationOptions {
    return {
      context: this.#context,
      node,
      files: this.files,
      waiting: (message, missingId) => this.#waits(message, missingId),
    };
  }

  #waits(message: string, missingId?: string): void {
    const { logger, progress } = this.#context;
    progress.waited();
    if (message === progress.message) return;
    progress.missingId = missingId;
    logger.warn('the node waits for its cluster', { reason: message });
    progress.become('Starting', message);
  }

  stop(): void {
    this.#locked?.[Symbol.dispose]();
    this.#locked = undefined;
  }

  #formOptions({ path, found }: LockedDirectory): FormOptions {
    const { config, clock, chance, progress } = this.#context;
    const facts: FormOptions['facts'] = {
      directory: path,
      nodeId: found?.id,
      clusterId: found?.clusterId,
      found: config.found,
      join: config.join,
      hasBootstrap: config['join-token'] !== '',
    } satisfies Omit<FormationFacts, 'credentials' | 'isAuthority'>;
    return {
      files: this.files,
      clock,
      chance,
      certificateLifetimeMs,
      facts,
      roles: config.roles as FormationRoles,
      join: (nodeId, known) => this.#join(nodeId, known?.privateKey),
      decided: (type) => progress.step(steps[type]),
    };
  }

  #join(nodeId: string, privateKey: string | undefined) {
    const { config, clock, chance, logger, progress, signal } = this.#context;
    let said: string | undefined;
    return joinCluster({
      addresses: config.join,
      token: config['join-token'],
      authorityHash: config['join-ca-hash'],
      nodeId,
      name: config['node-name'],
      roles: config.roles as FormationRoles,
      privateKey,
      timeoutMs: joinTimeoutMs,
      clock,
      chance,
      exchange: exchangeJoin,
      waiting: ({ message }) => {
        progress.waited();
        if (message === said) return;
        said = message;
        logger.warn('the cluster cannot be joined yet', { reason: message });
        progress.become('Starting', `joining the cluster: ${message}`);
      },
      signal,
    });
  }
}

type FormationRoles = Parameters<typeof joinCluster>[0]['roles'];
