import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { Chance } from '../common/chance.ts';
import { DataLostError, DirectoryLockedError, IdentityError } from './errors.ts';
import { StorageUnavailableError } from './errors.ts';
import { directoryMode, fileMode, restrictAll } from './modes.ts';
import { syncPath } from './sync-path.ts';
import { whyUnusable } from './unusable.ts';

/**
 * The data directory: who it belongs to (`IDENTITY`) and who uses it now (`LOCK`). Both are settled
 * before anything in it is opened. Node has no file locks; an exclusive transaction of SQLite is one,
 * and ends with the process.
 */
const directoryFormat = 3;
/** Of a directory whose node belongs to no cluster yet: made by a release without clusters, or by a tool. */
const formatWithoutCluster = 2;

/** Made when the identity is on the medium, and never before. */
const dataNames = ['store', 'wal'];

/** Whose data it is. */
interface Owner {
  readonly cluster: string;
  readonly node: string;
}

interface Identity extends Owner {
  readonly format: number;
  /** The node ID: of this directory, whatever the node is called. Also the server's ID for drivers. */
  readonly id: string;
  /** Undefined before the node has founded or joined a cluster. */
  readonly clusterId?: string;
}

/** Which cluster the node belongs to, and under which node ID. */
interface Formed {
  readonly nodeId: string;
  readonly clusterId: string;
}

/** A directory that this process alone uses; its identity may not be there yet. */
export interface LockedDirectory extends Disposable {
  readonly path: string;
  readonly found: Identity | undefined;
  /** Refuses a directory of another node or cluster, before anything is done for it. */
  require(owner: Owner): void;
  /** Writes the identity when it is new or has changed. Refuses a directory of another node or cluster. */
  settle(owner: Owner, formed: Formed): DataDirectory;
}

export interface DataDirectory extends Disposable {
  readonly path: string;
  readonly identity: Identity;
}

/** What SQLite says of a file that it has not written. */
const notDatabase = 26;

function unavailable(path: string, error: unknown): StorageUnavailableError {
  const isStrangeLock = (error as { errcode?: number }).errcode === notDatabase;
  const why = isStrangeLock
    ? 'its file LOCK is damaged; it holds nothing, so remove it'
    : whyUnusable(path, error);
  return new StorageUnavailableError(`The data directory ${path} cannot be used: ${why}.`, {
    cause: error,
  });
}

function lock(path: string): DatabaseSync {
  const database = new DatabaseSync(join(path, 'LOCK'));
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    const { errcode, message } = error as { errcode?: number; message: string };
    if (errcode === 5 || message.includes('locked')) throw new DirectoryLockedError(path);
    throw error;
  }
}

function readIdentity(path: string): Identity | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { format, cluster, node, id, clusterId } = JSON.parse(text) as Partial<Identity>;
    if (typeof format === 'number' && typeof cluster === 'string' && typeof node === 'string') {
      const own = { format, cluster, node, id: String(id) };
      return typeof clusterId === 'string' ? { ...own, clusterId } : own;
    }
  } catch {
    // Falls through to the sentence below: text that is not JSON is as unreadable as wrong fields.
  }
  throw new IdentityError(
    `${path} cannot be read as an identity: restore it, or use an empty directory.`,
  );
}

/** Nobody's yet: without an identity, and without data that would need one. */
export function isUnused(path: string): boolean {
  return !['IDENTITY', ...dataNames].some((name) => existsSync(join(path, name)));
}

/** Written under another name, synced, renamed, and the directory synced: there whole or not at all. */
function writeIdentity(directory: string, identity: Identity): void {
  const temporary = join(directory, 'IDENTITY.new');
  writeFileSync(temporary, `${JSON.stringify(identity)}\n`, { mode: fileMode, flush: true });
  renameSync(temporary, join(directory, 'IDENTITY'));
  syncPath(directory);
}

/** The identity that is there, when this release can use it. Refuses data without one. */
function findIdentity(path: string): Identity | undefined {
  const found = readIdentity(join(path, 'IDENTITY'));
  const data = dataNames.find((name) => existsSync(join(path, name)));
  if (found === undefined && data !== undefined) {
    throw new IdentityError(
      `The data directory ${path} has a ${data} and no file IDENTITY, so that nobody knows whose it is: restore the file, or use an empty directory.`,
    );
  }
  if (found !== undefined && found.format > directoryFormat) {
    throw new IdentityError(
      `The data directory ${path} has format ${found.format}; this release reads format ${directoryFormat} and older.`,
    );
  }
  return found;
}

function requireOwner(path: string, found: Identity | undefined, { cluster, node }: Owner): void {
  if (found === undefined || (found.cluster === cluster && found.node === node)) return;
  throw new IdentityError(
    `The data directory ${path} belongs to node ${found.node} of cluster ${found.cluster}, not to node ${node} of cluster ${cluster}: use that node's own directory.`,
  );
}

/** Holds the directory, whose identity is what `settle` makes of the one that is there. */
function holdDirectory<T>(path: string, settle: (hold: Hold) => T): T {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: directoryMode });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    database = lock(path);
    const held = database;
    return settle({ path, found: findIdentity(path), release: () => held.close() });
  } catch (error) {
    database?.close();
    throw translated(path, error);
  }
}

interface Hold {
  readonly path: string;
  readonly found: Identity | undefined;
  readonly release: () => void;
}

function translated(path: string, error: unknown): unknown {
  const isOwn = error instanceof DirectoryLockedError || error instanceof IdentityError;
  return isOwn ? error : unavailable(path, error);
}

function settled({ path, found, release }: Hold, identity: Identity): DataDirectory {
  if (!isDeepStrictEqual(identity, found)) writeIdentity(path, identity);
  restrictAll(path);
  return { path, identity, [Symbol.dispose]: release };
}

/** Makes the directory when it is missing, locks it, and reads its identity. Throws one sentence. */
export function lockDirectory(path: string): LockedDirectory {
  return holdDirectory(path, (hold) => ({
    path,
    found: hold.found,
    require: (owner) => requireOwner(path, hold.found, owner),
    settle(owner, { nodeId: id, clusterId }) {
      try {
        requireOwner(path, hold.found, owner);
        const { cluster, node } = owner;
        return settled(hold, { format: directoryFormat, cluster, node, id, clusterId });
      } catch (error) {
        throw translated(path, error);
      }
    },
    [Symbol.dispose]: hold.release,
  }));
}

/** Makes the directory when it is missing, locks it, and settles whose it is, without a cluster. */
export function openDirectory(
  path: string,
  owner: Owner,
  chance: Pick<Chance, 'uuid'>,
): DataDirectory {
  return holdDirectory(path, (hold) => {
    const { found } = hold;
    requireOwner(path, found, owner);
    const { cluster, node } = owner;
    // NB: format 1 has values of `meta` without a checksum; the store gives them one when it is opened.
    const format = Math.max(found?.format ?? 0, formatWithoutCluster);
    const fresh = { format, cluster, node, id: found?.id ?? chance.uuid() };
    return settled(hold, found === undefined ? fresh : { ...found, format });
  });
}

/** A directory that some node has created; nothing is created. */
export function openExistingDirectory(path: string): DataDirectory {
  const identity = readIdentity(join(path, 'IDENTITY'));
  if (identity === undefined) {
    throw new IdentityError(
      `${path} is no data directory: it has no file IDENTITY. Name the --data-dir of a node.`,
    );
  }
  return holdDirectory(path, (hold) => {
    const format = Math.max(identity.format, formatWithoutCluster);
    return settled(hold, { ...identity, format });
  });
}

export const hasNoData = (path: string): boolean =>
  !dataNames.some((name) => existsSync(join(path, name)));

/** What a node with other members has of its own: it had both once it was a member, and the store first. */
export function requireData(path: string): void {
  const hasLog =
    existsSync(join(path, 'wal')) &&
    readdirSync(join(path, 'wal')).some((name) => name.endsWith('.wal'));
  if (existsSync(join(path, 'store', 'data.mdb'))) return;
  throw new DataLostError(
    hasLog
      ? `The store is missing in ${join(path, 'store')}, and the log beside it is not empty: what the log has let go of is lost here. Restore the whole data directory from a snapshot.`
      : `The data directory ${path} has neither a log nor a store, and its node is a member of a cluster: what it acknowledged is lost here. Restore the whole data directory from a snapshot.`,
  );
}

/** A store that is not empty and a log that is not there: writes may be missing without notice. */
export function requireLog(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).some((name) => name.endsWith('.wal'))) return;
  throw new DataLostError(
    `The log is missing in ${directory}, and the store beside it is not empty: writes that were acknowledged may be lost. Restore the whole data directory from a snapshot.`,
  );
}
