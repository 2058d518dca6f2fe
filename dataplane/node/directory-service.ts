import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../common/assert.ts';
import { leaveToBegin } from '../kubernetes/former-data.ts';
import { OwnNode } from '../kubernetes/own-node.ts';
import { formCluster } from '../membership/form-cluster.ts';
import type { FormedCluster, FormOptions } from '../membership/form-cluster.ts';
import type { FormationFacts } from '../membership/formation.ts';
import { joinCluster } from '../membership/join.ts';
import { exchangeJoin } from '../net/join-exchange.ts';
import { isUnused, lockDirectory } from '../storage/directory.ts';
import type { DataDirectory, LockedDirectory } from '../storage/directory.ts';
import { TextFiles } from '../storage/text-files.ts';
import type { NodeContext } from './context.ts';
import { identityDirectory } from './identity.ts';
import type { Service } from './services.ts';

/**
 * Whose data directory it is, and which cluster its node belongs to: locked, founded or joined when it is
 * new, and held until the end. What belongs to the cluster is on the medium before the identity says so.
 */
/** Between two questions whether an empty data directory may be begun. */
const leavePauseMs = 1_000;
const joinTimeoutMs = 10_000;
const certificateLifetimeMs = 7 * 86_400_000;

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

  async start(): Promise<void> {
    const { config, logger } = this.#context;
    const path = config['data-dir'];
    await this.#leaveToBegin(path);
    const locked = lockDirectory(path);
    this.#locked = locked;
    const owner = { cluster: config['cluster-name'], node: config['node-name'] };
    locked.require(owner);
    const formed = await formCluster(this.#formOptions(locked));
    const { nodeId, clusterId } = formed.credentials;
    this.#directory = locked.settle(owner, { nodeId, clusterId });
    this.#formed = formed;
    logger.info('the node belongs to its cluster', { formation: formed.type, nodeId, clusterId });
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

  /** In Kubernetes, an empty directory may stand in the place of one that was lost. */
  async #leaveToBegin(path: string): Promise<void> {
    const { apiServer, config, logger, progress, clock, signal } = this.#context;
    const isPodOfOperator = apiServer !== undefined && existsSync(`${identityDirectory}/token`);
    if (!isPodOfOperator || !isUnused(path)) return;
    const name = config['node-name'];
    const node = new OwnNode({ apiServer, directory: identityDirectory, name });
    await leaveToBegin({
      read: () => node.read(),
      waiting: (message, missingId) => {
        progress.waited();
        if (message === progress.message) return;
        progress.missingId = missingId;
        logger.warn('the node does not begin', { reason: message });
        progress.become('Starting', message);
      },
      pause: () => clock.sleep(leavePauseMs, signal),
      signal,
    });
    progress.missingId = undefined;
  }
}

type FormationRoles = Parameters<typeof joinCluster>[0]['roles'];
