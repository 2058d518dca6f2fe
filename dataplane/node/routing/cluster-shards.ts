import type { Clock } from '../../common/clock.ts';
import { PhotonError } from '../../common/errors.ts';
import type { Database } from '../../database/database.ts';
import type { MemberView } from '../../membership/member-view.ts';
import type { NodeReport, ServerName } from '../../query/node-report.ts';
import type { CatalogFollower } from './catalog-follower.ts';
import { needOf } from './losses.ts';
import type { NeedAnswer } from './member-need.ts';
import { joinReports, ledShards, ledShardsCodec } from './shard-reports.ts';
import type { LedShard, LedShards, PlacedShards } from './shard-reports.ts';
import { placedShards } from './table-places.ts';

/** Only the leader of the metadata knows what holds now. */
class MetadataElsewhereError extends PhotonError {
  override readonly code = 'metadata.elsewhere';

  constructor(why: string) {
    super(`This node does not lead the metadata: ${why}.`);
  }
}

export interface MemberNeed {
  readonly id: string;
  readonly name: string;
  readonly status: MemberView['status'];
  /** Empty when the others have everything. */
  readonly need: string;
}

/** What the nodes that answer say. */
interface Answers {
  readonly led: ReadonlyMap<string, readonly LedShard[]>;
  /** How far the metadata is, by the leader that is certain to lead it; undefined when none answers. */
  readonly metadata: number | undefined;
}

/** A node that does not have the metadata of now after this time says that replicas are in transition. */
const metadataWaitMs = 1_000;

interface ClusterShardsOptions {
  readonly clock: Pick<Clock, 'timer'>;
  /** Of the node. */
  readonly signal: AbortSignal;
  readonly follower: Pick<CatalogFollower, 'placedShards'>;
  /** Undefined on a node without data. */
  readonly database: () => Database | undefined;
  readonly members: () => readonly MemberView[];
  /** What another node answers to `readReplicas`. */
  readonly ask: (node: string) => Promise<Uint8Array>;
}

/** The shards of the cluster, as their leaders see them. */
export class ClusterShards implements Pick<NodeReport, 'servers' | 'shards'> {
  readonly #options: ClusterShardsOptions;

  constructor(options: ClusterShardsOptions) {
    this.#options = options;
  }

  servers(): readonly ServerName[] | undefined {
    const { database, follower, members } = this.#options;
    const own = database();
    const isPlaced =
      own === undefined ? follower.placedShards.length > 0 : own.state.members !== undefined;
    if (!isPlaced) return undefined;
    return members()
      .filter(({ roles, status }) => roles.includes('data') && status === 'alive')
      .map(({ id, name }) => ({ id, name }));
  }

  async shards(): ReturnType<NodeReport['shards']> {
    if (this.#tables.length === 0) return new Map();
    const members = this.#options.members();
    const named = (id: string): ServerName => {
      return {
        id,
        name: members.find((member) => member.id === id)?.name ?? id,
      };
    };
    const { led, metadata } = await this.#asked(members);
    const isCurrent = metadata !== undefined && (await this.#has(metadata));
    return joinReports(this.#tables, { led, named, isCurrent });
  }

  /**
   * The members with data, and why each of them is needed: what holds now, by the leader of the metadata. Rejects with
   * MetadataElsewhereError on another node. A node that has the data alone needs no other one.
   */
  async needs(): Promise<readonly MemberNeed[]> {
    const database = this.#options.database();
    const metadata = database?.metadataReplicas;
    const members = this.#options.members();
    if (database === undefined) throw new MetadataElsewhereError('it has no data');
    if (metadata === undefined) return [];
    if (metadata.refusal !== undefined) {
      const { node } = metadata.leader;
      const leader = members.find(({ id }) => id === node)?.name;
      throw new MetadataElsewhereError(
        leader === undefined ? 'no leader is known' : `${leader} does`,
      );
    }
    const statusOf = (id: string) => members.find((member) => member.id === id)?.status ?? 'left';
    const { led } = await this.#asked(members);
    await metadata.readable();
    const { state } = database;
    const facts = {
      state,
      metadata: metadata.configuration,
      led,
      isUp: (id: string) => statusOf(id) === 'alive',
    };
    return Object.values(state.members ?? {}).map(({ id, name }) => ({
      id,
      name,
      status: statusOf(id),
      need: needOf(id, facts) ?? '',
    }));
  }

  /** Of one of them, for itself. */
  async needOf(id: string): Promise<NeedAnswer> {
    try {
      const found = (await this.needs()).find((member) => member.id === id);
      if (found === undefined) return { type: 'unknown', why: '' };
      return { type: found.need === '' ? 'free' : 'needed', why: found.need };
    } catch (error) {
      if (!(error instanceof PhotonError)) throw error;
      return { type: 'elsewhere', why: error.message };
    }
  }

  /** Of this node, for the others. */
  async ledHere(): Promise<Uint8Array> {
    const self = this.#options.members().find(({ isSelf }) => isSelf);
    const metadata = await this.#confirmed();
    const shards = this.#ledBySelf(self?.id ?? '');
    return ledShardsCodec.encode({ shards, ...(metadata === undefined ? {} : { metadata }) });
  }

  /** How far the metadata is, on the node that leads it for certain. */
  async #confirmed(): Promise<number | undefined> {
    const database = this.#options.database();
    const metadata = database?.metadataReplicas;
    if (database === undefined || metadata === undefined || metadata.refusal !== undefined)
      return undefined;
    try {
      await metadata.readable();
      return database.metadataIndex;
    } catch {
      // It was deposed, or cannot know whether it was.
      return undefined;
    }
  }

  /** Whether this node has the metadata, soon. One without data has what the node that it follows has. */
  async #has(index: number): Promise<boolean> {
    const { clock, signal } = this.#options;
    const database = this.#options.database();
    if (database === undefined || database.metadataIndex >= index) return true;
    const over = new AbortController();
    const timer = clock.timer(metadataWaitMs, () => over.abort());
    try {
      await database.metadataAt(index, AbortSignal.any([signal, over.signal]));
      return true;
    } catch {
      return false;
    } finally {
      timer.cancel();
    }
  }

  get #tables(): readonly PlacedShards[] {
    const { database, follower } = this.#options;
    const own = database();
    return own === undefined ? follower.placedShards : placedShards(own);
  }

  #ledBySelf(id: string): readonly LedShard[] {
    const database = this.#options.database();
    return database === undefined ? [] : ledShards(id, database);
  }

  async #asked(members: readonly MemberView[]): Promise<Answers> {
    const led = new Map<string, readonly LedShard[]>();
    const confirmed: number[] = [];
    const asked = members.map(async ({ id, roles, isSelf, isConnected }) => {
      if (!roles.includes('data') || !(isSelf || isConnected)) return;
      try {
        const { shards, metadata } = isSelf ? await this.#here(id) : await this.#there(id);
        led.set(id, shards);
        if (metadata !== undefined) confirmed.push(metadata);
      } catch {
        // It does not answer, which is what its replicas are reported to do.
      }
    });
    await Promise.all(asked);
    return { led, metadata: confirmed.length === 0 ? undefined : Math.max(...confirmed) };
  }

  async #here(id: string): Promise<LedShards> {
    const metadata = await this.#confirmed();
    return { shards: this.#ledBySelf(id), metadata };
  }

  async #there(node: string): Promise<LedShards> {
    return ledShardsCodec.decode(await this.#options.ask(node));
  }
}
