import { readAppliedPosition, readMembers } from '../apply/applied-position.ts';
import { readMetadata } from '../apply/catalog.ts';
import { readSessions } from '../apply/stored-sessions.ts';
import { TouchedKeys } from '../apply/touched-keys.ts';
import type { Applier } from '../apply/applier.ts';
import { encodeBase64, encodeUtf8 } from '../common/bytes.ts';
import { readUnchecked } from '../integrity/unchecked.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { ShardRecord } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type { Position } from '../replication/replicated-group.ts';
import { encodeSessions } from '../table/session-table.ts';
import { readStatistics } from '../table/statistics.ts';
import type { RowsBody } from './content.ts';
import { frameBodyBytes } from './frame.ts';
import { encodeEnd, partKind } from './snapshot-message.ts';
import type { PartKind, SnapshotPart } from './snapshot-message.ts';
import { ExportWalk } from './table-export.ts';

/** Where a state is in the log of its group. */
export interface SnapshotPlace extends Position {
  /** The payload that names the members there; undefined while they are the first ones. */
  readonly members: Uint8Array | undefined;
}

/** The parts of a group's state, and where in the log it is when they are all there. */
export interface SnapshotState {
  /** The next parts, the end among the last of them. */
  next(): {
    readonly parts: readonly SnapshotPart[];
    readonly end: SnapshotPlace | undefined;
  };
  close(): void;
}

/** Keys that may change while one part is on its way. */
const touchedKeysMax = 65_536;

/**
 * The rows of a shard as an export has them: no view of the store lives longer than one part, and the parts in their
 * order make the rows as they are at the end.
 */
export function shardState(
  store: Pick<ApplyStore, 'read'>,
  applier: Pick<Applier, 'watch'>,
  { group, keyspace, name }: Pick<ShardRecord, 'group' | 'keyspace'> & { readonly name: string },
): SnapshotState {
  const touched = new TouchedKeys(touchedKeysMax);
  const close = applier.watch(group, touched);
  const walk = new ExportWalk({
    store,
    name,
    shards: [{ group, keyspace, touched }],
  });
  const partOf = (kind: PartKind, body: RowsBody): SnapshotPart[] =>
    body.count === 0 ? [] : [{ kind, body: body.finish() }];
  const next: SnapshotState['next'] = () => {
    const last: { end?: SnapshotPlace; part?: SnapshotPart } = {};
    const { changes, rows } = walk.next((view) => {
      const position = readAppliedPosition(view, group);
      const statistics = readStatistics(view, keyspace);
      const unchecked = readUnchecked(view, keyspace);
      const sessions = encodeBase64(encodeSessions(readSessions(view, group)));
      last.end = { ...position, members: readMembers(view, group) };
      last.part = {
        kind: partKind.end,
        body: encodeEnd({ ...position, statistics, unchecked, sessions }),
      };
    });
    const parts = [
      ...changes.flatMap((body) => partOf(partKind.changes, body)),
      ...partOf(partKind.rows, rows),
      ...(last.part === undefined ? [] : [last.part]),
    ];
    return { parts, end: last.end };
  };
  return { next, close };
}

/** The metadata as the store has it, in one view. */
export function metadataState(store: Pick<ApplyStore, 'read'>): SnapshotState {
  const next: SnapshotState['next'] = () =>
    store.read((view) => {
      const position = readAppliedPosition(view, metadataGroup);
      const text = encodeUtf8(JSON.stringify(readMetadata(view) ?? null));
      const parts: SnapshotPart[] = [];
      for (let at = 0; at < text.byteLength; at += frameBodyBytes)
        parts.push({
          kind: partKind.state,
          body: text.slice(at, at + frameBodyBytes),
        });
      const statistics = {
        count: parts.length,
        bytes: text.byteLength,
        hash: 0,
      };
      parts.push({
        kind: partKind.end,
        body: encodeEnd({
          ...position,
          statistics,
          unchecked: 0,
          sessions: '',
        }),
      });
      return {
        parts,
        end: { ...position, members: readMembers(view, metadataGroup) },
      };
    });
  return { next, close: () => undefined };
}
