import { existsSync } from 'node:fs';
import { decodeUtf8, encodeUtf8 } from '../../common/bytes.ts';
import { PhotonError } from '../../common/errors.ts';
import type { Database } from '../../database/database.ts';
import type { DatabaseOptions } from '../../database/options.ts';
import { readFile, writeFile } from '../../membership/cluster-files.ts';
import { FormationError, NodeRemovedError } from '../../membership/errors.ts';
import type { Handler } from '../../membership/mesh.ts';
import { codec, text } from '../../membership/messages.ts';
import { givenUpSentence, isGivenUp } from '../../metadata/given-up.ts';
import { readMetadataCommand } from '../../metadata/command-format.ts';
import type { MetadataCommand, Refused } from '../../metadata/command.ts';
import type { MetadataState } from '../../metadata/state.ts';
import { NotLeaderError } from '../../replication/errors.ts';
import { RaftSource } from '../../replication/raft-source.ts';
import type { NodeContext } from '../context.ts';
import type { DirectoryService } from '../directory-service.ts';
import type { MembershipService } from '../membership-service.ts';
import { storeDirectoryOf } from '../open-data.ts';
import { podOf } from '../pod.ts';
import { askPeer } from './mesh-peers.ts';
import { largestLag, ReplicaWatch, wellStanding } from './replica-trouble.ts';
import type { Standing } from './replica-trouble.ts';

/** The groups of a node among those of other nodes: their messages, their states, and changes of the metadata. */
interface Parts {
  readonly context: NodeContext;
  readonly directory: DirectoryService;
  readonly membership: MembershipService;
}

interface ChangeAnswer {
  readonly type: 'done' | 'refused' | 'moved';
  readonly index?: number;
  readonly message?: string;
  readonly leader?: string;
}

const changeAnswer = codec<ChangeAnswer>(
  'changedMetadata',
  {
    type: { enum: ['done', 'refused', 'moved'] },
    index: { type: 'integer', minimum: 0 },
    message: text(65_536),
    leader: text(64),
  },
  ['index', 'message', 'leader'],
);

/** A node that stops leaves the change to its next life. */
const stopped = (error: unknown, { aborted }: AbortSignal): unknown =>
  aborted ? new NotLeaderError(undefined, { cause: error }) : error;

/**
 * Whether a node that begins to replicate has the cluster's data, or there is none yet. A node that was admitted, and
 * ended before it opened its data, has none: others bring it.
 */
function isFirst({ context, directory }: Parts): boolean {
  const { formed, path } = directory;
  if (formed.type === 'founding' || formed.authority !== undefined) return true;
  if (!existsSync(storeDirectoryOf(path))) return false;
  // In a pod the authority is elsewhere, and a node without the role `data` never gets it.
  if (podOf(context) !== undefined) return true;
  throw new FormationError(ownDataMessage(path));
}

const ownDataMessage = (path: string): string =>
  `The node cannot replicate the data of its cluster: its data directory ${path} was made without the role data. Start it with the roles that it had, or join with another name and an empty directory.`;

const changeWithinMs = 10_000;
const retryAfterMs = 50;

export class NodeReplication {
  readonly node: string;
  readonly isFounder: boolean;
  readonly source: RaftSource;
  readonly #parts: Parts;
  readonly #changed = new Set<() => void>();
  #database: Database | undefined;
  readonly #watch = new ReplicaWatch();
  #standing: Standing = wellStanding;

  /** Undefined for a node that keeps its data alone. */
  static open(parts: Parts): NodeReplication | undefined {
    const { context, directory } = parts;
    const { files } = directory;
    const { roles, replicated } = context.config;
    const stored = readFile(files, 'replication');
    if (!roles.includes('data') || (stored === undefined && !replicated)) return undefined;
    const isFounder = stored?.isFounder ?? isFirst(parts);
    if (stored === undefined) writeFile(files, 'replication', { isFounder });
    return new NodeReplication(parts, isFounder);
  }

  private constructor(parts: Parts, isFounder: boolean) {
    const { context, directory, membership } = parts;
    this.#parts = parts;
    this.isFounder = isFounder;
    this.node = directory.formed.credentials.nodeId;
    this.source = new RaftSource({
      node: this.node,
      founders: isFounder ? [this.node] : [],
      clock: context.clock,
      chance: context.chance,
      isQuarantined: (id) => membership.membership?.keeper.of(id) !== undefined,
      transport: {
        send: (to, frame, urgency) => {
          const priority = urgency === 'urgent' ? 'consensus' : 'bulk';
          // What is lost, Raft says again.
          membership.membership?.mesh.notify(to, 'raft', frame, priority);
        },
      },
    });
    membership.onChange(() => this.#suspect());
    // Long before the failure detector: the system closes the connections of a process that is killed.
    membership.onDisconnect((id) => this.source.groups?.suspected(id));
    membership.services.serve(
      {
        raft: async (payload, { id }) => {
          this.#requireMember(id);
          this.source.groups?.receive(id, payload);
          return new Uint8Array();
        },
        snapshot: (payload, { id }) => {
          this.#requireMember(id);
          return this.#opened.snapshotRequest(payload);
        },
        changeMetadata: this.#change,
      },
      {
        raft: (payload, { id }) => {
          if (!this.#isGivenUp(id)) this.source.groups?.receive(id, payload);
        },
      },
    );
  }

  /** For the database that is about to be opened. */
  get options(): Pick<DatabaseOptions, 'replicate' | 'snapshotPeer' | 'forward'> {
    return {
      replicate: this.source,
      snapshotPeer: (to, part, signal) => this.#ask(to, 'snapshot', part, signal),
      forward: (command) => this.change(command),
    };
  }

  attach(database: Database): void {
    this.#database = database;
  }

  /** Whether replicas are what they are to be, as of the last look. */
  get standing(): Standing {
    return this.#standing;
  }

  /** Why they are not; nothing while that is expected to pass. */
  get trouble(): string | undefined {
    const { state, message } = this.#standing;
    return state === 'Degraded' || state === 'Unavailable' ? message : undefined;
  }

  /** Groups that this node has a replica of, and the entries that the slowest replica of those that it leads lacks. */
  get figures(): { readonly groups: number; readonly maxLagEntries: number } {
    const database = this.#database;
    if (database === undefined) return { groups: 0, maxLagEntries: 0 };
    const groups = database.replicatedGroups.length;
    return { groups, maxLagEntries: largestLag(this.node, database) };
  }

  onChange(listener: () => void): void {
    this.#changed.add(listener);
  }

  /** Looks at the replicas. */
  look(): void {
    const { membership, context } = this.#parts;
    const reach = {
      node: this.node,
      reaches: (id: string) =>
        membership.members.some((member) => member.id === id && member.status === 'alive'),
    };
    const standing = this.#watch.look(this.#opened, reach, context.clock.now());
    const { state, message } = this.#standing;
    if (standing.state === state && standing.message === message) return;
    this.#standing = standing;
    for (const listener of this.#changed) listener();
  }

  /** Changes the metadata wherever its leader is. */
  async change(command: MetadataCommand): Promise<MetadataState | Refused> {
    const { clock, signal } = this.#parts.context;
    const until = clock.now() + changeWithinMs;
    for (;;) {
      let reason: unknown;
      try {
        return await this.#changeOnce(command);
      } catch (error) {
        // Each of these changes may be made twice, so that a lost answer is none.
        if (!(error instanceof PhotonError)) throw stopped(error, signal);
        reason = error;
      }
      if (clock.now() > until) throw new NotLeaderError(undefined, { cause: reason });
      await clock.sleep(retryAfterMs, signal).catch((error: unknown) => {
        throw stopped(error, signal);
      });
    }
  }

  async #changeOnce(command: MetadataCommand): Promise<MetadataState | Refused> {
    const database = this.#opened;
    const { node, isHere } = database.metadataReplicas?.leader ?? {};
    if (isHere === true) return database.change(command);
    if (node === undefined) throw new NotLeaderError(undefined);
    const { signal } = this.#parts.context;
    const payload = encodeUtf8(JSON.stringify(command));
    const answer = changeAnswer.decode(await this.#ask(node, 'changeMetadata', payload, signal));
    if (answer.type === 'moved') throw new NotLeaderError(answer.leader);
    if (answer.type === 'refused') return { type: 'refused', message: answer.message ?? '' };
    await database.metadataAt(answer.index ?? 0, signal);
    return database.state;
  }

  #isGivenUp(id: string): boolean {
    return this.#database !== undefined && isGivenUp(this.#database.state, id);
  }

  /** What a node of another history says is not of these groups. */
  #requireMember(id: string): void {
    if (this.#isGivenUp(id)) throw new NodeRemovedError(givenUpSentence(id));
  }

  readonly #change: Handler = async (payload, { id }) => {
    this.#requireMember(id);
    const database = this.#opened;
    try {
      const result = await database.change(readMetadataCommand(decodeUtf8(payload)));
      return changeAnswer.encode(
        'type' in result ? result : { type: 'done', index: database.metadataIndex },
      );
    } catch (error) {
      if (!(error instanceof NotLeaderError)) throw error;
      const { leader } = error;
      return changeAnswer.encode({ type: 'moved', ...(leader === undefined ? {} : { leader }) });
    }
  };

  get #opened(): Database {
    if (this.#database === undefined) throw new NotLeaderError(undefined);
    return this.#database;
  }

  #ask(
    node: string,
    name: 'snapshot' | 'changeMetadata',
    payload: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return askPeer(this.#parts.membership.membership?.mesh, { node, name }, payload, signal);
  }

  #suspect(): void {
    for (const { id, status, isSelf } of this.#parts.membership.members)
      if (!isSelf && status !== 'alive') this.source.groups?.suspected(id);
  }
}
