import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Chance } from '../common/chance.ts';
import { DirectoryLockedError, IdentityError, StorageUnavailableError } from './errors.ts';
import { directoryMode, fileMode, restrictAll } from './modes.ts';
import { syncPath } from './sync-path.ts';

/**
 * The data directory: who it belongs to (`IDENTITY`) and who uses it now (`LOCK`). Both are settled
 * before anything in it is opened. Node has no file locks; an exclusive transaction of SQLite is one,
 * and ends with the process.
 */
const directoryFormat = 2;

/** Made when the identity is on the medium, and never before. */
const dataNames = ['store', 'wal'];

/** Whose data it is. */
interface Owner {
  readonly cluster: string;
  readonly node: string;
}

interface Identity extends Owner {
  readonly format: number;
  /** Of this directory, for ever: the server's id in the driver protocol. */
  readonly id: string;
}

export interface DataDirectory extends Disposable {
  readonly path: string;
  readonly identity: Identity;
}

const sentences: Record<string, string> = {
  EACCES: 'this user may not write there: change its owner or choose another with --data-dir',
  EPERM: 'this user may not write there: change its owner or choose another with --data-dir',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full: make room or give the volume more',
  ENOTDIR: 'a file stands where a directory is wanted',
  EEXIST: 'a file stands where a directory is wanted',
};

/** What SQLite says of a file that it has not written. */
const notDatabase = 26;

function unavailable(path: string, error: unknown): StorageUnavailableError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isStrangeLock = (error as { errcode?: number }).errcode === notDatabase;
  const why = isStrangeLock
    ? 'its file LOCK is damaged; it holds nothing, so remove it'
    : (sentences[code] ?? message);
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
    const { format, cluster, node, id } = JSON.parse(text) as Partial<Identity>;
    if (typeof format === 'number' && typeof cluster === 'string' && typeof node === 'string') {
      return { format, cluster, node, id: String(id) };
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

function settleIdentity(directory: string, owner: Owner, chance: Pick<Chance, 'uuid'>): Identity {
  const found = readIdentity(join(directory, 'IDENTITY'));
  if (found === undefined) {
    const data = dataNames.find((name) => existsSync(join(directory, name)));
    if (data !== undefined) {
      throw new IdentityError(
        `The data directory ${directory} has a ${data} and no file IDENTITY, so that nobody knows whose it is: restore the file, or use an empty directory.`,
      );
    }
    const identity = { format: directoryFormat, ...owner, id: chance.uuid() };
    writeIdentity(directory, identity);
    return identity;
  }
  return acceptIdentity(directory, found, owner);
}

/** Of this release's format from now on. */
function acceptIdentity(directory: string, found: Identity, { cluster, node }: Owner): Identity {
  if (found.format > directoryFormat) {
    throw new IdentityError(
      `The data directory ${directory} has format ${found.format}; this release reads format ${directoryFormat} and older.`,
    );
  }
  if (found.cluster !== cluster || found.node !== node) {
    throw new IdentityError(
      `The data directory ${directory} belongs to node ${found.node} of cluster ${found.cluster}, not to node ${node} of cluster ${cluster}: use that node's own directory.`,
    );
  }
  // NB: format 1 has values of `meta` without a checksum; the store gives them one when it is opened.
  if (found.format === directoryFormat) return found;
  const identity = { ...found, format: directoryFormat };
  writeIdentity(directory, identity);
  return identity;
}

/** Makes the directory when it is missing, locks it, and settles whose it is. Rejects with one sentence. */
export function openDirectory(
  path: string,
  owner: Owner,
  chance: Pick<Chance, 'uuid'>,
): DataDirectory {
  return holdDirectory(path, () => settleIdentity(path, owner, chance));
}

function holdDirectory(path: string, settle: () => Identity): DataDirectory {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: directoryMode });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    database = lock(path);
    const held = database;
    const identity = settle();
    restrictAll(path);
    return { path, identity, [Symbol.dispose]: () => held.close() };
  } catch (error) {
    database?.close();
    if (error instanceof DirectoryLockedError || error instanceof IdentityError) throw error;
    throw unavailable(path, error);
  }
}

/** A directory that a node has made, whoever that is; nothing is made. */
export function openExistingDirectory(path: string): DataDirectory {
  const identity = readIdentity(join(path, 'IDENTITY'));
  if (identity === undefined) {
    throw new IdentityError(
      `${path} is no data directory: it has no file IDENTITY. Name the --data-dir of a node.`,
    );
  }
  return holdDirectory(path, () => acceptIdentity(path, identity, identity));
}

/** A store that is not empty and a log that is not there: writes may be missing, and nobody would know. */
export function requireLog(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).some((name) => name.endsWith('.wal'))) return;
  throw new StorageUnavailableError(
    `The log is missing in ${directory}, and the store beside it is not empty: writes that were acknowledged may be lost. Restore the whole data directory from a snapshot.`,
  );
}
