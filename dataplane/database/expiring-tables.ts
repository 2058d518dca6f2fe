import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { ExpiringTable } from '../maintenance/expiry.ts';
import { keyspacesOf } from '../metadata/shards.ts';
import type { LiveTables } from './live-tables.ts';

/** Shards of tables with a document TTL that are served, with their part of the index over it. */
export function expiringTables(
  tables: LiveTables,
  { groups }: Pick<CorruptionRegistry, 'groups'>,
): ExpiringTable[] {
  // Few tables have a TTL, and this is asked for often.
  const expiring = Object.values(tables.state.tables).filter(
    ({ expireAt }) => expireAt !== undefined,
  );
  return expiring.flatMap(({ id, expireAt: field, indexes }) => {
    const record = indexes.find(({ system }) => system === 'expiry');
    if (field === undefined || record === undefined) return [];
    const parts = keyspacesOf(record);
    return (tables.table(id)?.shards ?? []).flatMap((group, at) => {
      const index = parts[at];
      if (index === undefined || tables.index(index) === undefined) return [];
      // The leader alone decides what has expired; the others apply its deletions.
      if (!tables.isLeading(group.options.group)) return [];
      return groups.of(group.options.group) === undefined ? [{ group, field, index }] : [];
    });
  });
}
