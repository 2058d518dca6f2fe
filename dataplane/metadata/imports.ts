import { applied, refused } from './command.ts';
import type { MetadataCommand, MetadataResult } from './command.ts';
import { withTable } from './indexes.ts';
import { formatOf } from './members.ts';
import { drawIndex, drawShards, garbageOfShards, importsOf } from './shards.ts';
import type { IndexRecord, MetadataState, ShardRecord, TableRecord } from './state.ts';

type ImportCommand = Extract<
  MetadataCommand,
  { readonly type: 'beginImport' | 'finishImport' | 'abandonImport' }
>;

type CreateTable = (
  state: MetadataState,
  create: { readonly table: Omit<TableRecord, 'keyspace' | 'indexes' | 'placement'> },
) => MetadataResult;

/** Imports are named by the first of their keyspaces. */
export function changeImports(
  state: MetadataState,
  command: ImportCommand,
  createTable: CreateTable,
): MetadataResult {
  if (command.type === 'beginImport') return beginImport(state, command.shards);
  const { keyspace } = command;
  const found = importsOf(state).find(({ shards }) => shards[0]?.keyspace === keyspace);
  if (found === undefined) return refused('The import was abandoned.');
  const ended = without(state, keyspace);
  if (command.type === 'finishImport')
    return finishImport(ended, { ...command, shards: found.shards, createTable });
  return applied({ ...ended, garbage: [...state.garbage, ...garbageOfShards(found.shards)] });
}

function beginImport(state: MetadataState, count: number | undefined): MetadataResult {
  const { imports = [], importing = [], nextKeyspace } = state;
  if (count === undefined) {
    return applied({
      ...state,
      imports: [...imports, nextKeyspace],
      nextKeyspace: nextKeyspace + 1,
    });
  }
  const { shards, nextKeyspace: next } = drawShards(state, count);
  return applied({
    ...state,
    format: formatOf(state),
    importing: [...importing, { shards }],
    nextKeyspace: next,
  });
}

function without(state: MetadataState, keyspace: number): MetadataState {
  const { imports, importing, ...rest } = state;
  return {
    ...rest,
    ...(imports === undefined ? {} : { imports: imports.filter((each) => each !== keyspace) }),
    ...(importing === undefined
      ? {}
      : { importing: importing.filter(({ shards }) => shards[0]?.keyspace !== keyspace) }),
  };
}

/** The table appears with its rows; its indexes are built like any new ones. */
function finishImport(
  state: MetadataState,
  {
    keyspace,
    table,
    indexes,
    shards,
    createTable,
  }: Extract<ImportCommand, { readonly type: 'finishImport' }> & {
    readonly shards: readonly ShardRecord[];
    readonly createTable: CreateTable;
  },
): MetadataResult {
  // As a table of no rows it is refused or not.
  const created = createTable(state, { table });
  if (created.type === 'refused') return created;
  const isPlain = shards.length === 1 && shards[0]?.group === keyspace;
  const placed: TableRecord = {
    ...table,
    keyspace,
    ...(isPlain ? {} : { placement: { epoch: 1, shards } }),
    indexes: [],
  };
  let { nextKeyspace } = state;
  const records = indexes.map((index): IndexRecord => {
    const drawn = drawIndex({ nextKeyspace }, placed);
    ({ nextKeyspace } = drawn);
    return { ...index, ...drawn.index };
  });
  return applied(withTable({ ...state, nextKeyspace }, { ...placed, indexes: records }));
}
