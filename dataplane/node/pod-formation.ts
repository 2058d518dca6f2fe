import { awaitAssignment } from '../kubernetes/assignment.ts';
import { askForCertificate, obtainCertificate } from '../kubernetes/bootstrap.ts';
import type { BootstrapOptions, SignedCertificate } from '../kubernetes/bootstrap.ts';
import { leaveToBegin } from '../kubernetes/former-data.ts';
import type { OwnNode } from '../kubernetes/own-node.ts';
import { readFile, writeFile } from '../membership/cluster-files.ts';
import type { ClusterFiles, StoredCredentials } from '../membership/cluster-files.ts';
import { FormationError, JoinRefusedError } from '../membership/errors.ts';
import type { FormedCluster } from '../membership/form-cluster.ts';
import { RingKeeper } from '../membership/ring-keeper.ts';
import {
  authorityHash,
  createRequest,
  validityOfText,
  verifyCertificate,
} from '../security/certificates.ts';
import type { NodeIdentity } from '../security/node-identity.ts';
import type { LockedDirectory } from '../storage/directory.ts';
import type { NodeContext } from './context.ts';
import { identityDirectory } from './identity.ts';

/**
 * How a node in a pod comes to its cluster: the operator says whether it founds or joins, and signs its
 * certificates. Guarded invariants: the identity is on the medium before it is reported, so that a node
 * which is killed at any moment comes back as the same one; a node with a valid certificate needs neither
 * the operator nor the API server.
 */
export interface PodFormationOptions {
  readonly context: NodeContext;
  readonly node: OwnNode;
  readonly files: ClusterFiles;
  /** Called with each sentence that says what the node waits for. */
  readonly waiting: (message: string, missingId?: string) => void;
}

/** Between two questions whether an empty data directory may be begun. */
const pauseMs = 1_000;

/** Waits until an empty directory may be begun: it may stand in the place of one that was lost. */
export async function awaitLeave({ context, node, waiting }: PodFormationOptions): Promise<void> {
  const { clock, signal } = context;
  await leaveToBegin({
    read: () => node.read(),
    waiting,
    pause: () => clock.sleep(pauseMs, signal),
    signal,
  });
}

export interface Identified {
  readonly identity: NodeIdentity;
  readonly isFounder: boolean;
}

/** The identity of the directory, or the one that it is to have; not yet on the medium. */
export async function identify(
  options: PodFormationOptions,
  { found, path }: Pick<LockedDirectory, 'found' | 'path'>,
): Promise<Identified> {
  const { context, node, files, waiting } = options;
  const { clock, chance, signal } = context;
  const nodeId = found?.id ?? chance.uuid();
  if (found?.clusterId !== undefined) {
    return { identity: { nodeId, clusterId: found.clusterId }, isFounder: false };
  }
  const assignment = await awaitAssignment({
    read: () => node.read(),
    waiting,
    pause: () => clock.sleep(pauseMs, signal),
    signal,
  });
  if (assignment.type === 'found') {
    RingKeeper.create(files, chance);
    files.remove('peers.json');
    return { identity: { nodeId, clusterId: chance.uuid() }, isFounder: true };
  }
  const { clusterId } = assignment;
  if (found === undefined) return { identity: { nodeId, clusterId }, isFounder: false };
  throw new FormationError(
    `Joining is not possible: the data directory ${path} has data of its own, which cluster ${clusterId} does not know. Restore the volume of this node, or delete its volume claim to join with an empty one.`,
  );
}

/** Certificates of this node's identity, from the operator. */
async function requestOf(
  { context, node }: Pick<PodFormationOptions, 'context' | 'node'>,
  identity: NodeIdentity,
  request: string,
): Promise<BootstrapOptions> {
  const { clock, signal } = context;
  return {
    node,
    directory: identityDirectory,
    hashOf: authorityHash,
    identity,
    request,
    check: async ({ certificate, authorities }) => {
      const proven = await verifyCertificate(certificate, authorities, clock.timeOfDay());
      const { nodeId, clusterId } = proven.identity;
      if (nodeId === identity.nodeId && clusterId === identity.clusterId) return;
      throw new JoinRefusedError('The operator answers with a certificate of another node.');
    },
    signal,
  };
}

/** One attempt, with the key of `request`. */
export async function certifyInPod(
  options: Pick<PodFormationOptions, 'context' | 'node'>,
  identity: NodeIdentity,
  request: string,
): Promise<SignedCertificate> {
  return askForCertificate(await requestOf(options, identity, request));
}

/** Credentials for an identity that is on the medium: those that are stored, or new ones. */
export async function formInPod(
  options: PodFormationOptions,
  { identity, isFounder }: Identified,
): Promise<FormedCluster> {
  const { context, files, waiting } = options;
  const { clock, chance } = context;
  const stored = readFile(files, 'credentials');
  if (stored !== undefined && isValid(stored, identity, clock.timeOfDay())) {
    return { type: 'rejoining', credentials: stored, authority: undefined };
  }
  const { privateKey, request } = await createRequest({ identity });
  const signed = await obtainCertificate({
    ...(await requestOf(options, identity, request)),
    clock,
    chance,
    waiting,
  });
  const credentials = { ...identity, ...signed, privateKey };
  writeFile(files, 'credentials', credentials);
  return { type: isFounder ? 'founding' : 'joining', credentials, authority: undefined };
}

function isValid(stored: StoredCredentials, identity: NodeIdentity, now: number): boolean {
  const isOwn = stored.nodeId === identity.nodeId && stored.clusterId === identity.clusterId;
  return isOwn && now <= validityOfText(stored.certificate).notAfter;
}
