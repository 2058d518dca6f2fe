import type { Database } from '../../database/database.ts';
import { isContinued, succeed, survey } from '../../database/lost-majority.ts';
import type { Survey } from '../../database/lost-majority.ts';
import { Authority } from '../../membership/authority.ts';
import type { AuthorityOptions } from '../../membership/authority.ts';
import { readFile } from '../../membership/cluster-files.ts';
import { OrderBook } from '../../membership/order-book.ts';
import type { MetadataState } from '../../metadata/state.ts';
import { MustRejoinError } from '../../replication/errors.ts';
import { StoppedMembers } from '../../replication/stopped-member.ts';
import type { Standing } from '../../replication/stopped-member.ts';
import { openExistingDirectory } from '../../storage/directory.ts';
import type { DataDirectory } from '../../storage/directory.ts';
import { machineChance } from '../chance.ts';
import { machineClock } from '../clock.ts';
import { UsageError } from './names.ts';
import { filesOf, replicationOf, withStopped } from './offline.ts';
import type { TextFiles } from '../../storage/text-files.ts';

/**
 * `recover`: a cluster whose majority is lost for good continues from one node. Without `--sole-survivor` it says what
 * each directory has, and changes nothing.
 */
export interface RecoverOptions {
  readonly isFinal: boolean;
  readonly hasNewAuthority: boolean;
}

/** It was refused, with the reasons. */
class RecoveryRefusedError extends Error {}

/** A data directory, and what its node has of each group. */
interface Survivor {
  readonly path: string;
  readonly node: string;
  readonly name: string;
  readonly clusterId: string | undefined;
  readonly survey: Survey;
}

const certificateLifetimeMs = 7 * 86_400_000;

export async function recover(
  paths: readonly string[],
  options: RecoverOptions,
  signal: AbortSignal,
): Promise<string> {
  if (options.hasNewAuthority && !options.isFinal) {
    throw new UsageError('--new-authority is part of --sole-survivor');
  }
  const survivors: Survivor[] = [];
  for (const path of paths) survivors.push(await survivorIn(path, signal));
  requireDistinct(survivors);
  const [chosen, ...others] = survivors;
  if (chosen === undefined) throw new UsageError('recover takes a DIRECTORY');
  const report = survivors.flatMap(reportOf);
  const ahead = others.flatMap((other) => aheadOf(chosen, other));
  if (!options.isFinal) {
    return [...report, ...ahead, ...adviceFor(chosen)].join('\n');
  }
  if (ahead.length > 0) {
    const advice = `Nothing was changed. Recover from the directory that has more, or name ${chosen.path} alone.`;
    throw new RecoveryRefusedError([...ahead, advice].join('\n'));
  }
  return [...report, await become(chosen, options, signal)].join('\n');
}

/** Locks the directory and opens what it has; the work ends before the lock does. */
async function inDirectory<T>(
  path: string,
  signal: AbortSignal,
  work: (parts: {
    readonly directory: DataDirectory;
    readonly database: Database;
    readonly members: StoppedMembers;
  }) => Promise<T>,
): Promise<T> {
  using directory = openExistingDirectory(path);
  const replication = replicationOf(path);
  if (replication === undefined) {
    throw new RecoveryRefusedError(
      `${path} is of a node that has its data alone, or none: there is no majority to recover. Start the node.`,
    );
  }
  const { id: node } = directory.identity;
  const members = new StoppedMembers({ node, founders: replication.isFounder ? [node] : [] });
  return withStopped(directory, { members, signal }, (database) =>
    work({ directory, database, members }),
  );
}

const survivorIn = (path: string, signal: AbortSignal): Promise<Survivor> =>
  inDirectory(path, signal, ({ directory: { identity }, database, members }) => {
    const { node: name, id: node, clusterId } = identity;
    return Promise.resolve({ path, name, node, clusterId, survey: survey(database, members) });
  });

function requireDistinct(survivors: readonly Survivor[]): void {
  for (const [at, one] of survivors.entries()) {
    for (const other of survivors.slice(at + 1)) {
      if (one.node === other.node) {
        throw new RecoveryRefusedError(
          `${other.path} has the node ID of ${one.path}: one of them is a copy. Use the one that ran last.`,
        );
      }
      if (one.clusterId !== other.clusterId) {
        throw new RecoveryRefusedError(
          `${other.path} and ${one.path} belong to different clusters, ${other.clusterId} and ${one.clusterId}.`,
        );
      }
    }
  }
}

// ---- what there is ------------------------------------------------------------------------------

const nameOf = ({ members = {} }: MetadataState, id: string): string => members[id]?.name ?? id;

function reportOf({ path, name, node, survey: { state, groups } }: Survivor): string[] {
  return [
    `${path} is of node ${name} (${node}):`,
    ...groups.map((group) => `  ${group.name}: ${standingText(group.standing, state)}`),
  ];
}

function standingText(
  standing: Survey['groups'][number]['standing'],
  state: MetadataState,
): string {
  if (standing === 'elsewhere') {
    return 'it has no replica here. Its rows stay unavailable after a recovery from this node; drop the table then, and load it from a backup.';
  }
  if (standing instanceof MustRejoinError) {
    return `it cannot be continued from here. ${standing.message}`;
  }
  const { last, applied, committed, term, vote, configuration, lacking } = standing;
  const { voters, outgoing, learners } = configuration;
  const named = (ids: readonly string[]): string => ids.map((id) => nameOf(state, id)).join(', ');
  const unsure = last.index - committed;
  return [
    `the last entry is ${last.index} of term ${last.term}`,
    `applied up to ${applied}`,
    unsure === 0
      ? `known as committed up to ${committed}`
      : `known as committed up to ${committed}, so ${unsure} may never have been acknowledged and are kept`,
    vote === undefined
      ? `no vote in term ${term}`
      : `voted for ${nameOf(state, vote)} in term ${term}`,
    `voters ${named([...new Set([...voters, ...outgoing])])}`,
    ...(learners.length > 0 ? [`learners ${named(learners)}`] : []),
    ...(lacking === undefined ? [] : [`lost here: ${lacking}`]),
  ].join('; ');
}

const isAheadOf = (one: Standing, other: Standing): boolean =>
  one.last.term > other.last.term ||
  (one.last.term === other.last.term && one.last.index > other.last.index);

/** Groups of which another survivor has more than the chosen one. */
function aheadOf(chosen: Survivor, other: Survivor): string[] {
  const own = new Map(chosen.survey.groups.map(({ group, standing }) => [group, standing]));
  return other.survey.groups.flatMap(({ group, name, standing }) => {
    if (!isContinued(standing)) return [];
    const here = own.get(group);
    const more = `${other.path} has more of ${name} than ${chosen.path}: it ends at entry ${standing.last.index} of term ${standing.last.term}`;
    if (here === undefined || !isContinued(here)) return [`${more}, and the other has nothing.`];
    const { index, term } = here.last;
    return isAheadOf(standing, here)
      ? [`${more}, the other at entry ${index} of term ${term}.`]
      : [];
  });
}

const lossSentence =
  'Writes that other nodes acknowledged and that did not reach this node are lost: this node cannot tell which these are.';

const majoritySentence =
  'Do this only when a majority of the voters is lost for good. When enough of them can be started, start them instead. This tool cannot see whether they run elsewhere, and nodes that do would accept writes in another history.';

function adviceFor({ path, node, survey: { state, groups } }: Survivor): string[] {
  const isAlone = groups.every(
    ({ standing }) =>
      !isContinued(standing) ||
      [...standing.configuration.voters, ...standing.configuration.outgoing].join() === node,
  );
  if (isAlone) {
    return ['This node is the only voter of each of its groups already. Start it.'];
  }
  const lost = Object.values(state.members ?? {}).filter(({ id }) => id !== node);
  return [
    'Nothing was changed.',
    lossSentence,
    majoritySentence,
    `npm run storage -- recover ${path} --sole-survivor makes this node the only voter of each group that it has a replica of, and gives up ${lost.map(({ name }) => name).join(', ')} for good: start these with empty data directories, as new nodes.`,
    ...(readFile(filesOf(path), 'authority') === undefined ? [authoritySentence] : []),
  ];
}

const authoritySentence =
  'This directory does not have the authority of the cluster, which a node outside of Kubernetes needs to admit new nodes. Copy cluster/authority.json of the node that founded the cluster here before, or give --new-authority: then no certificate of before is trusted any more.';

// ---- what is done -------------------------------------------------------------------------------

async function become(
  { path, name }: Survivor,
  { hasNewAuthority }: RecoverOptions,
  signal: AbortSignal,
): Promise<string> {
  return inDirectory(path, signal, async ({ directory: { identity }, database, members }) => {
    const found = survey(database, members);
    const lost = lostOf(found.state, members.node);
    const { clusterId } = identity;
    const authority =
      clusterId === undefined ? undefined : await authorityOf(path, clusterId, hasNewAuthority);
    await succeed(found, members);
    // The data knows of them from now on; orders let all nodes refuse them before they say anything.
    if (authority !== undefined && clusterId !== undefined) {
      revoke(path, { authority, clusterId, name, lost });
    }
    const left = found.groups.filter(({ standing }) => !isContinued(standing));
    return [
      `Node ${name} is the only voter of ${found.groups.length - left.length} groups, and ${lost.length} nodes are given up. Start it; new nodes join it with empty data directories.`,
      ...(authority === undefined ? [`No order was signed. ${authoritySentence}`] : []),
    ].join('\n');
  });
}

const lostOf = ({ members = {}, givenUp = [] }: MetadataState, survivor: string): string[] => [
  ...givenUp,
  ...Object.keys(members).filter((id) => id !== survivor),
];

const authorityOptions = (files: TextFiles): AuthorityOptions => ({
  files,
  clock: machineClock,
  chance: machineChance,
  certificateLifetimeMs,
});

async function authorityOf(
  path: string,
  clusterId: string,
  isNew: boolean,
): Promise<Authority | undefined> {
  const files = filesOf(path);
  if (!isNew) return Authority.open(authorityOptions(files), clusterId);
  const authority = await Authority.create(authorityOptions(files), clusterId);
  // The next start certifies the node itself.
  files.remove('credentials.json');
  files.remove('orders.json');
  files.remove('peers.json');
  return authority;
}

interface Revocation {
  readonly authority: Authority;
  readonly clusterId: string;
  readonly name: string;
  readonly lost: readonly string[];
}

function revoke(path: string, { authority, clusterId, name, lost }: Revocation): void {
  const book = new OrderBook({
    clusterId,
    files: filesOf(path),
    authorities: () => [authority.certificate],
    clock: machineClock,
  });
  const reason = `the cluster lost its majority and was recovered from node ${name}`.slice(0, 256);
  const at = Math.trunc(machineClock.timeOfDay());
  book.adopt(
    lost
      .filter((id) => book.removalOf(id) === undefined)
      .map((nodeId) => authority.signOrder({ type: 'remove', nodeId, at, reason })),
  );
}
