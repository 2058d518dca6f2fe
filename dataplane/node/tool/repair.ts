import type { TableRecord } from '../../metadata/state.ts';
import { qualifiedName } from '../../metadata/state.ts';
import { shardOfGroup } from '../../metadata/lookup.ts';
import type { Database } from '../../database/database.ts';
import { withMetadata } from './offline.ts';
import { tableName, tableNamed, UsageError } from './names.ts';

/**
 * `repair`: what a node cannot do because it does not start, or because it would evaluate what ends it.
 * It opens the metadata alone: no entry of a table is applied, no function is called.
 */
interface Repair {
  /** Names of its arguments behind the action. */
  readonly takes: readonly string[];
  readonly does: string;
  run(database: Database, args: readonly string[], options: RepairOptions): Promise<string>;
}

interface RepairOptions {
  /** Whether entries that cannot be read are given up. */
  readonly discard: boolean;
}

const dropIndex: Repair = {
  takes: ['DATABASE.TABLE', 'INDEX'],
  does: 'removes an index without calling its function',
  async run(database, [name = '', index = '']) {
    const table = tableNamed(database, tableName(name));
    const result = await database.change({ type: 'dropIndex', tableId: table.id, name: index });
    if ('type' in result) throw new UsageError(result.message);
    return `Index \`${index}\` of table \`${name}\` was dropped.`;
  },
};

const quarantine: Repair = {
  takes: ['DATABASE.TABLE'],
  does: 'takes a table out of service: nothing of it is read, applied or evaluated; nothing is lost',
  async run(database, [name = '']) {
    const table = tableNamed(database, tableName(name));
    await database.quarantine(table.id, {
      code: 'replication.quarantined',
      message: 'It was taken out of service by `npm run storage -- repair DIRECTORY quarantine`.',
    });
    return `Table \`${name}\` is in quarantine, with what its log holds. \`repair DIRECTORY release ${name}\` ends that.`;
  },
};

const release: Repair = {
  takes: ['DATABASE.TABLE'],
  does: 'brings a table back into service; --discard: without the entries of its log that cannot be applied',
  async run(database, [name = ''], { discard }) {
    const table = tableNamed(database, tableName(name));
    if (database.corruption.damagesOf(table).length === 0)
      return `Table \`${name}\` is not in quarantine; nothing was changed.`;
    const discarded = await database.release(table.id, { discardEntries: discard });
    const without = discarded === 0 ? '' : ` without ${discarded} entries of its log`;
    return `Table \`${name}\` is served again from the next start on${without}. When that start cannot apply its log, it is back in quarantine.`;
  },
};

const repairs: Readonly<Record<string, Repair>> = {
  'drop-index': dropIndex,
  quarantine,
  release,
};

/** What is damaged, as far as it is known without reading the documents: that is what `scrub` does. */
function listed(database: Database): string {
  const { state, corruption, frozen } = database;
  const tables = Object.values(state.tables);
  const nameOf = (table: TableRecord): string => qualifiedName(state, table);
  const sentences = [
    ...(frozen === undefined ? [] : [`metadata: ${frozen.message}`]),
    ...corruption.tables().map(({ name, damage }) => `table ${name}: ${damage.message}`),
    ...database.failedIndexes().map(({ table, index, message }) => {
      return `index ${index} of table ${table}: ${message}`;
    }),
    ...database.notApplicable.map(({ group, message }) => {
      const table = shardOfGroup(state, group)?.table;
      return `log of ${table === undefined ? `group ${group}` : `table ${nameOf(table)}`}: ${message}`;
    }),
  ];
  if (sentences.length > 0) return sentences.join('\n');
  const indexes = tables.reduce((sum, table) => sum + table.indexes.length, 0);
  return `${tables.length} tables and ${indexes} indexes, none of them known as damaged; \`scrub\` reads all documents.`;
}

export const repairUsage: readonly string[] = Object.entries(repairs).map(
  ([action, { takes, does }]) =>
    `npm run storage -- repair DIRECTORY ${action} ${takes.join(' ')}: ${does}`,
);

/** Without an action it lists what is damaged, and changes nothing. */
export function repair(
  [directory = '', action, ...args]: readonly string[],
  options: RepairOptions,
  signal: AbortSignal,
): Promise<string> {
  const chosen = action === undefined ? undefined : repairNamed(action, args);
  return withMetadata(directory, signal, (database) =>
    chosen === undefined ? Promise.resolve(listed(database)) : chosen.run(database, args, options),
  );
}

function repairNamed(action: string, args: readonly string[]): Repair {
  const found = Object.hasOwn(repairs, action) ? repairs[action] : undefined;
  if (found === undefined) throw new UsageError(`repair has no action "${action}"`);
  if (args.length !== found.takes.length) {
    throw new UsageError(`repair DIRECTORY ${action} takes ${found.takes.join(' ')}`);
  }
  return found;
}
