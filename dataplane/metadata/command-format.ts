import { PhotonError } from '../common/errors.ts';
import { shardsMax } from '../wire/table-access.ts';
import type { MetadataCommand } from './command.ts';

/**
 * What an entry of the metadata log must look like before it is applied. Entries are written by this
 * function's own release or an earlier one; bytes of a log are checked all the same.
 */
class MetadataFormatError extends PhotonError {
  override readonly code = 'metadata.command_format';
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const keyspace: Check = (value) => Number.isSafeInteger(value) && Number(value) > 0;
const count: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
/** Of shards. */
const number: Check = (value) => count(value) && Number(value) > 0 && Number(value) <= shardsMax;
const isNothing: Check = (value) => value === undefined;
const isTwo: Check = (value) => value === 2;
const isThree: Check = (value) => value === 3;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
/** Identifiers, each once. */
const ids: Check = (value) =>
  listOf(text)(value) && new Set(value as string[]).size === (value as string[]).length;
const founders: Check = (value) => ids(value) && (value as string[]).length > 0;
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) =>
      check(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined),
    );

const hook = object({ format: count, definition: text });
const config = { name: text, databaseId: text, durability: text, expireAt: optional(text) };
const table = object({ ...config, id: text, primaryKey: text, writeHook: optional(hook) });
const index = object({ name: text, multi: flag, geo: flag, definition: text });
const member = object({ id: text, name: text, roles: listOf(text), zone: optional(text) });
const verifier = object({ salt: text, iterations: count, storedKey: text, serverKey: text });

const fieldsOf: { readonly [Type in MetadataCommand['type']]: Check } = {
  createDatabase: object({ id: text, name: text }),
  dropDatabase: object({ name: text }),
  renameDatabase: object({ id: text, name: text }),
  createTable: (value) => {
    if (object({ format: isNothing })(value)) return object({ table })(value);
    const sharded: Check = (each) => table(each) && object({ shards: number })(each);
    return (
      object({ format: isTwo, table: sharded, replicas: isNothing })(value) ||
      object({ format: isThree, table: sharded, replicas: listOf(founders) })(value)
    );
  },
  dropTable: object({ id: text }),
  createIndex: object({ tableId: text, index }),
  indexReady: object({ tableId: text, keyspace }),
  rebuildIndex: object({ tableId: text, keyspace }),
  dropIndex: object({ tableId: text, name: text }),
  renameIndex: object({ tableId: text, from: text, to: text, overwrite: flag }),
  setExpireAt: object({ tableId: text, field: optional(text) }),
  setWriteHook: object({ tableId: text, hook: optional(hook) }),
  configureTable: object({ tableId: text, config: object(config) }),
  setVerifier: object({ user: text, verifier }),
  cleared: object({ keyspace }),
  reshardTable: object({ tableId: text, shards: number, replicas: optional(listOf(founders)) }),
  putMember: object({ format: isThree, member }),
  removeMember: object({ format: isThree, id: text }),
  giveUpMembers: object({ format: isThree, survivor: text }),
  placeShard: object({ format: isThree, tableId: text, group: keyspace, wanted: founders }),
  placeTable: object({
    format: isThree,
    tableId: text,
    wanted: listOf(founders),
    growsReplicas: flag,
  }),
  shardMembers: object({
    format: isThree,
    tableId: text,
    group: keyspace,
    epoch: optional(count),
    voters: founders,
    learners: ids,
  }),
  beginImport: object({ shards: optional(number) }),
  finishImport: object({ keyspace, table, indexes: listOf(index) }),
  abandonImport: object({ keyspace }),
};

/** Throws `metadata.command_format` for what this release cannot apply. */
export function readMetadataCommand(json: string): MetadataCommand {
  let command: unknown;
  try {
    command = JSON.parse(json);
  } catch {
    throw new MetadataFormatError('it is not JSON');
  }
  if (!object({ type: text })(command)) throw new MetadataFormatError('it has no type');
  const { type } = command as MetadataCommand;
  if (!Object.hasOwn(fieldsOf, type)) {
    throw new MetadataFormatError(`its type "${type}" is unknown to this release`);
  }
  if (!fieldsOf[type](command)) {
    throw new MetadataFormatError(`a field of its type "${type}" is missing or of another type`);
  }
  return command as MetadataCommand;
}
