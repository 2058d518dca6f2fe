import { applyParked } from '../apply/apply-parked.ts';
import { readMetadata } from '../apply/catalog.ts';
import { CatalogLostError } from '../apply/errors.ts';
import { spawn } from '../common/spawn.ts';
import { areUncheckedKnown, markUnchecked } from '../integrity/unchecked.ts';
import { markBuilt } from '../maintenance/built-indexes.ts';
import { removeStrays } from '../maintenance/clear.ts';
import { isEmpty } from '../maintenance/scrubber.ts';
import { partsOf, shardsOf } from '../metadata/shards.ts';
import { emptyState } from '../metadata/state.ts';
import type { MetadataState } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type { GroupLog } from '../replication/log.ts';
import { finishInstalls } from '../transfer/snapshot-install.ts';
import type { DatabaseOptions } from './options.ts';
import type { DatabaseParts } from './parts.ts';

interface RecoveryHost {
  adopt(state: MetadataState): void;
  failed(error: Error): void;
}

/** Brings store and metadata to where the log ends; what is not in the store by then is in the replay. */
export async function recover(
  options: DatabaseOptions,
  parts: DatabaseParts,
  host: RecoveryHost,
): Promise<GroupLog> {
  const { store } = options;
  const { tables, corruption, applier, replay } = parts;
  const isForRepair = options.isForRepair === true;
  const stored = store.read(readMetadata);
  if (stored === undefined && !store.read(isEmpty)) throw new CatalogLostError();
  host.adopt(stored ?? emptyState);
  const { clock } = options;
  await finishInstalls({ store, clock, walks: parts.walks }, tables.state);
  for (const [group, damage] of corruption.readMarks()) applier.quarantine(group, damage);
  store.read((view) => parts.indexes.readFailures(view));
  const shards = Object.values(tables.state.tables).flatMap(shardsOf);
  if (!isForRepair) await applyParked({ store, applier, shards, corruption });
  const log = await openLog(options, parts, stored === undefined);
  const fail = (error: unknown): void => host.failed(error as Error);
  spawn(async () => fail(await log.failed), fail);
  // Shards serve what was replayed from their memtables; tables and indexes must be those of the store.
  if (replay.last(metadataGroup) !== replay.applied(metadataGroup)) await applier.drained();
  // A snapshot from another member may be newer than all that the log has.
  if (options.replicate === undefined || isAlone(stored)) replay.requireEnd(log);
  if (options.replicate !== undefined && isAlone(stored)) await keepIndexes(options, tables.state);
  corruption.markLost(log.damaged);
  if (replay.frozen === undefined && !isForRepair)
    await removeStrays(store, tables, replicatedBy(options));
  if (!isForRepair) await settleUnchecked(options, parts, log);
  applier.truncateAsFlushed(log);
  return log;
}

/** Written by a node that keeps its data alone: the first member is put before the first table of a replicated one. */
const isAlone = (stored: MetadataState | undefined): boolean =>
  stored !== undefined && stored.members === undefined;

/** The node built every index that the metadata calls ready, and did not have to mark it. */
async function keepIndexes(
  { store }: Pick<DatabaseOptions, 'store'>,
  { tables }: MetadataState,
): Promise<void> {
  const parts = Object.values(tables).flatMap(({ indexes }) => indexes.flatMap(partsOf));
  const ready = parts.filter((part) => part.ready);
  if (ready.length === 0) return;
  await store.write((transaction) => {
    for (const { keyspace } of ready) markBuilt(transaction, keyspace);
  });
}

/** Rows that nothing refers to are removed where another node may have said that they are. */
const replicatedBy = ({ replicate, clock, signal }: DatabaseOptions) =>
  replicate === undefined ? undefined : { clock, signal };

function openLog(
  options: DatabaseOptions,
  { replay }: DatabaseParts,
  isFirst: boolean,
): Promise<GroupLog> {
  const { replicate } = options;
  // A member also wants the entry that it has applied: it shows whether log and store belong together.
  const overlap = replicate === undefined ? 0 : 1;
  return options.openLog({
    isFirst,
    replayFrom: (group) => replay.applied(group) - overlap,
    isDispensable: (group) => options.requiresWholeLog !== true && group !== metadataGroup,
    // With other members an entry of the log is not committed by being there.
    onRecord: (record) =>
      replicate === undefined ? replay.take(record) : replicate.recovered(record),
    onProgress: (done, total) => options.onProgress(done, total),
    signal: options.signal,
  });
}

/** At the first start of a release that knows of it, nothing in a store was ever checked. */
async function settleUnchecked(
  { store }: DatabaseOptions,
  { tables, replay }: DatabaseParts,
  log: GroupLog,
): Promise<void> {
  if (store.read(areUncheckedKnown)) return;
  const shards = Object.values(tables.state.tables).flatMap(shardsOf);
  const versions = shards.map(({ group, keyspace }): [number, number] => {
    const logged = log.recovery.lastIndex(group)?.index ?? 0;
    return [keyspace, Math.max(replay.last(group), logged)];
  });
  await store.write((transaction) => markUnchecked(transaction, versions));
}
