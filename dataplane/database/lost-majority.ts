import { encodeUtf8, decodeUtf8 } from '../common/bytes.ts';
import { applyMetadata } from '../metadata/apply.ts';
import { readMetadataCommand } from '../metadata/command-format.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { isPlacedOn } from '../metadata/members.ts';
import { shardsOf } from '../metadata/shards.ts';
import { qualifiedName } from '../metadata/state.ts';
import type { MetadataState, ShardRecord } from '../metadata/state.ts';
import { entryKind, metadataGroup } from '../replication/entry-kind.ts';
import { MustRejoinError } from '../replication/errors.ts';
import type { CommittedEntry, GroupStart } from '../replication/replicated-group.ts';
import type { Standing, StoppedMembers } from '../replication/stopped-member.ts';
import type { Database } from './database.ts';

/** One group of a stopped node, or why nothing of it can be continued here. */
interface SurveyedGroup {
  readonly group: number;
  /** For people. */
  readonly name: string;
  readonly standing: Standing | MustRejoinError | 'elsewhere';
}

export interface Survey {
  /** As it is when everything in the log is committed. */
  readonly state: MetadataState;
  readonly groups: readonly SurveyedGroup[];
}

/** What a stopped node has of each group, from a database that was opened for repair with these members. */
export function survey(database: Database, members: StoppedMembers): Survey {
  const standingOf = (start: GroupStart, group: number): Standing | MustRejoinError => {
    const { configuration = { voters: [], outgoing: [], learners: [] } } = start;
    return members.standing(group, { ...start, configuration });
  };
  const metadata = standingOf(database.startOf(undefined), metadataGroup);
  const state = members.behind(metadataGroup).reduce(stateAfter, database.state);
  const groups: SurveyedGroup[] = [
    { group: metadataGroup, name: 'the metadata', standing: metadata },
  ];
  for (const table of Object.values(state.tables)) {
    const shards = shardsOf(table);
    const name = `table ${qualifiedName(state, table)}`;
    shards.forEach((shard, at) => {
      const { group } = shard;
      const isHere = isPlacedOn(state, shard, members.node);
      groups.push({
        group,
        name: shards.length === 1 ? name : `${name}, shard ${at + 1} of ${shards.length}`,
        standing: isHere ? standingOf(startIn(database, state, shard), group) : 'elsewhere',
      });
    });
  }
  return { state, groups };
}

const startIn = (database: Database, state: MetadataState, shard: ShardRecord): GroupStart =>
  database.startOf({ state, shard });

/** A command that is refused takes its position and changes nothing. */
function stateAfter(state: MetadataState, { kind, payload }: CommittedEntry): MetadataState {
  if (kind !== entryKind.command) return state;
  const result = applyMetadata(state, readMetadataCommand(decodeUtf8(payload)));
  return result.type === 'applied' ? result.state : state;
}

/** Makes the node the only member of all groups that it can continue, and of the cluster. */
export async function succeed({ groups }: Survey, members: StoppedMembers): Promise<void> {
  const command: MetadataCommand = {
    type: 'giveUpMembers',
    format: 3,
    survivor: members.node,
  };
  const commands = [encodeUtf8(JSON.stringify(command))];
  const known = groups.filter(({ standing }) => isContinued(standing));
  await members.succeed(
    new Map(known.map(({ group }) => [group, group === metadataGroup ? commands : []])),
  );
}

export const isContinued = (standing: SurveyedGroup['standing']): standing is Standing =>
  standing !== 'elsewhere' && !(standing instanceof MustRejoinError);
