import type { Database } from '../database/database.ts';
import { shardsOf } from '../metadata/shards.ts';
import { qualifiedName } from '../metadata/state.ts';
import type { NodeIssue } from '../query/node-report.ts';

/** What is wrong with a node's data while it serves everything else, the worst first. */
export function troublesOf(database: Database): NodeIssue[] {
  const { frozen } = database;
  return [
    ...(frozen === undefined
      ? []
      : [{ type: 'metadata_frozen' as const, description: frozen.message }]),
    ...closedTables(database),
    ...failedIndexes(database),
    ...damagedDocuments(database),
  ];
}

function closedTables({ corruption, state }: Database): NodeIssue[] {
  if (corruption.groups.size === 0) return [];
  return Object.values(state.tables).flatMap((table) => {
    const damages = corruption.damagesOf(table);
    if (damages.length === 0) return [];
    const shards = shardsOf(table).length;
    const which = shards === 1 ? 'is' : `has ${shards} shards, ${damages.length} of them are`;
    const why = damages.map(({ message }) => message).join(' ');
    const description = `Table \`${qualifiedName(state, table)}\` ${which} not served: ${why}`;
    return [{ type: 'table_availability' as const, description, tableId: table.id }];
  });
}

/** Those of a table together: an issue is known by its table and its type. */
function failedIndexes(database: Database): NodeIssue[] {
  const failed = database.failedIndexes();
  return [...new Set(failed.map(({ tableId }) => tableId))].map((tableId) => {
    const own = failed.filter((each) => each.tableId === tableId);
    const sentences = own.map(
      ({ table, index, message, isRebuilt }) =>
        `Index \`${index}\` of table \`${table}\` is not read: ${message}.${isRebuilt ? '' : ' Drop it, and create it again.'}`,
    );
    return { type: 'index_failed' as const, description: sentences.join(' '), tableId };
  });
}

function damagedDocuments({ corruption, state }: Database): NodeIssue[] {
  return Object.values(state.tables).flatMap((table) => {
    const damages = shardsOf(table).flatMap(
      ({ keyspace }) => corruption.documents.of(keyspace) ?? [],
    );
    if (damages.length === 0) return [];
    const name = qualifiedName(state, table);
    const count = damages.reduce((sum, each) => sum + each.count, 0);
    const [first = 'none of them is named'] = damages.flatMap(({ sentences }) => sentences);
    const description = `${count} documents of table \`${name}\` cannot be read, the first one: ${first}. Replace or delete them by their primary keys, or restore them from a backup.`;
    return [{ type: 'documents_damaged' as const, description, tableId: table.id }];
  });
}
