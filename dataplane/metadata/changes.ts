import type { MetadataState, TableRecord } from './state.ts';

/** What became of the tables from one state to a later one. Records that did not change are the same objects. */
export interface TableChanges {
  /** Made or changed. */
  readonly put: readonly TableRecord[];
  /** As they were. */
  readonly removed: readonly TableRecord[];
}

export type Tables = Readonly<Record<string, TableRecord>>;

interface Step extends TableChanges {
  /** Weak: no state keeps those before it alive. */
  readonly before: WeakRef<Tables>;
}

/** By the tables after it: the step that created them, so that a comparison of all of them is not needed. */
const steps = new WeakMap<Tables, Step>();
const none: TableChanges = { put: [], removed: [] };

/** The tables with one that is new or changed. */
export function tablesWith(before: Tables, table: TableRecord): Tables {
  const after = { ...before, [table.id]: table };
  const known = before[table.id];
  const put = known === table ? [] : [table];
  steps.set(after, { before: new WeakRef(before), put, removed: [] });
  return after;
}

/** The tables without some. */
export function tablesWithout(before: Tables, ids: ReadonlySet<string>): Tables {
  const after: Record<string, TableRecord> = {};
  const removed: TableRecord[] = [];
  for (const [id, table] of Object.entries(before)) {
    if (ids.has(id)) removed.push(table);
    else after[id] = table;
  }
  steps.set(after, { before: new WeakRef(before), put: [], removed });
  return after;
}

/** The one step from `before` to `after`; undefined when there are more of them, or when none is known. */
export function stepTo(after: Tables, before: Tables): TableChanges | undefined {
  const step = steps.get(after);
  return step?.before.deref() === before ? step : undefined;
}

/** The tables from which `tables` were derived, while they are referenced. */
export const madeOf = (tables: Tables): Tables | undefined => steps.get(tables)?.before.deref();

export function tableChanges(
  { tables: before }: MetadataState,
  { tables: after }: MetadataState,
): TableChanges {
  if (before === after) return none;
  return stepTo(after, before) ?? compared(before, after);
}

function compared(before: Tables, after: Tables): TableChanges {
  const put = Object.values(after).filter((table) => before[table.id] !== table);
  const removed = Object.values(before).filter(({ id }) => after[id] === undefined);
  return { put, removed };
}
