import { toHex } from '../../common/bytes.ts';
import type { TableRecord } from '../../metadata/state.ts';
import type { Database } from '../../database/database.ts';
import type { Salvaged } from '../../transfer/salvage.ts';
import { verifyTransfer } from '../../transfer/verify.ts';
import { compactStore } from '../../storage/compaction.ts';
import { openExistingDirectory } from '../../storage/directory.ts';
import { machineClock } from '../clock.ts';
import { DiskGate, reserveBytesOf } from '../disk-gate.ts';
import { diskUsage } from '../disk-usage.ts';
import { storeDirectoryOf } from '../open-data.ts';
import { tableName, tableNamed } from './names.ts';
import { withDatabase } from './offline.ts';
import { recover } from './recover.ts';
import { repair } from './repair.ts';
import { readStream, writeStream } from './streams.ts';
import { machineChance } from '../chance.ts';

/** What the tool for a data directory does; each says what came of it in a sentence. */
interface Arguments {
  readonly positionals: readonly string[];
  readonly as: string | undefined;
  readonly discard: boolean;
  /** Of `recover`. */
  readonly isFinal: boolean;
  readonly hasNewAuthority: boolean;
  readonly signal: AbortSignal;
}

export interface Command {
  /** Names of its positional arguments. */
  readonly takes: readonly string[];
  /** Whether more of them may follow. */
  readonly takesMore?: boolean;
  readonly does: string;
  run(args: Arguments): Promise<string>;
}

/** It was done, and something is not as it was written. */
class DamageFoundError extends Error {}

async function indexesBuilt(database: Database, signal: AbortSignal): Promise<void> {
  const isBuilding = (table: TableRecord): boolean =>
    database.corruption.damagesOf(table).length === 0 && table.indexes.some(({ ready }) => !ready);
  while (Object.values(database.state.tables).some(isBuilding)) await database.changed(signal);
}

const exportTable: Command = {
  takes: ['DIRECTORY', 'DATABASE.TABLE', 'FILE'],
  does: 'exports a table to a file',
  run({ positionals: [directory = '', name = '', file = ''], signal }) {
    return withDatabase(directory, signal, async (database) => {
      const table = tableNamed(database, tableName(name));
      await writeStream(file, database.transfers.export(table, signal), signal);
      return `${name}: ${database.table(table.id)?.count ?? 0} documents were exported`;
    });
  },
};

/** Keys that are named of those that were lost. */
const keysNamedMax = 20;

const salvage: Command = {
  takes: ['DIRECTORY', 'DATABASE.TABLE', 'FILE'],
  does: 'exports the intact documents of a damaged table to a file',
  run({ positionals: [directory = '', name = '', file = ''], signal }) {
    return withDatabase(directory, signal, async (database) => {
      const table = tableNamed(database, tableName(name));
      const salvaged: Salvaged = { rows: 0, counted: 0, damaged: [] };
      await writeStream(file, database.transfers.salvage(table, salvaged, signal), signal);
      const { rows, counted, damaged } = salvaged;
      const keys = damaged.slice(0, keysNamedMax).map(toHex).join(', ');
      const lost = damaged.length === 0 ? '' : `; the keys of the damaged ones begin with ${keys}`;
      return `${name}: ${rows} of ${counted} documents are in the file, ${damaged.length} are damaged${lost}`;
    });
  },
};

const importTable: Command = {
  takes: ['DIRECTORY', 'FILE'],
  does: 'imports such a file as a table; --as DATABASE.TABLE: under another name',
  run({ positionals: [directory = '', file = ''], as, signal }) {
    return withDatabase(directory, signal, async (database) => {
      const gate = new DiskGate({
        usage: () => diskUsage(directory),
        reusableBytes: () => database.storage().freeBytes,
        pendingBytes: () => database.pendingBytes,
        now: () => machineClock.now(),
        changed: () => undefined,
      });
      const request = {
        id: machineChance.uuid(),
        as: as === undefined ? undefined : tableName(as),
        refusal: () => gate.refusal('write'),
      };
      const table = await database.transfers.import(readStream(file), request, signal);
      await indexesBuilt(database, signal);
      const into = database.state.databases[table.databaseId]?.name;
      return `${into}.${table.name}: ${database.table(table.id)?.count ?? 0} documents were imported`;
    });
  },
};

const verify: Command = {
  takes: ['FILE'],
  does: 'verifies the checksums of such a file',
  async run({ positionals: [file = ''], signal }) {
    const { header, trailer, isAddedUp } = await verifyTransfer(readStream(file), signal);
    const sum = isAddedUp ? '' : '; it changed meanwhile, so only an import adds its rows up';
    return `${header.database}.${header.table.name}: ${trailer.count} documents, whole${sum}`;
  },
};

const scrub: Command = {
  takes: ['DIRECTORY'],
  does: 'reads every document and index entry; rebuilds damaged indexes, quarantines damaged tables',
  run({ positionals: [directory = ''], signal }) {
    return withDatabase(directory, signal, async (database) => {
      // What the log has and the store has not is looked at, too.
      await database.settled();
      const found = await database.scrub();
      await indexesBuilt(database, signal);
      const words = [
        ...found.map(({ keyspace, what }) => `keyspace ${keyspace}: ${what}`),
        ...database.corruption.tables().map(({ name, damage }) => `${name}: ${damage.message}`),
      ];
      if (words.length > 0) throw new DamageFoundError(words.join('\n'));
      const { rows } = database.metrics().scrub;
      return `${rows} documents and index entries are intact`;
    });
  },
};

const compact: Command = {
  takes: ['DIRECTORY'],
  does: 'compacts the data file',
  async run({ positionals: [path = ''], signal }) {
    using directory = openExistingDirectory(path);
    const usage = diskUsage(directory.path);
    const { bytesBefore, bytesAfter } = await compactStore({
      directory: storeDirectoryOf(directory.path),
      clock: machineClock,
      freeBytes: usage.freeBytes,
      reserveBytes: reserveBytesOf(usage),
      onProgress: () => undefined,
      signal,
    });
    return `the data file had ${bytesBefore} bytes and has ${bytesAfter}`;
  },
};

const repairCommand: Command = {
  takes: ['DIRECTORY'],
  takesMore: true,
  does: 'lists damage, without reading documents; with an action, repairs it:',
  run: ({ positionals, discard, signal }) => repair(positionals, { discard }, signal),
};

const recoverCommand: Command = {
  takes: ['DIRECTORY'],
  takesMore: true,
  does: 'says what survivors of a lost majority have; --sole-survivor: the cluster continues from the first of them',
  run: ({ positionals, isFinal, hasNewAuthority, signal }) =>
    recover(positionals, { isFinal, hasNewAuthority }, signal),
};

export const commands: Readonly<Record<string, Command>> = {
  export: exportTable,
  salvage,
  import: importTable,
  verify,
  scrub,
  compact,
  repair: repairCommand,
  recover: recoverCommand,
};
