/**
 * All file access of the write-ahead log, behind one small interface, so that tests can cut the
 * power, fill the disk and tear writes. Three kinds of durability, none implied by another: the
 * bytes of a file (`sync`, `writeDurably`), the names in a directory (`syncDirectory`), and nothing at all (`write`).
 * Operations reject with the errors of the system, which carry a `code` (ENOENT, EEXIST, ENOSPC, EIO).
 */
export interface DiskFile {
  /** Up to `length` bytes at `offset`; fewer only at the end of the file. The caller owns them. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same into the caller's bytes; answers how many there were. */
  readInto(offset: number, into: Uint8Array): Promise<number>;
  /** All of `bytes` at `offset`. Not durable. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * All of `bytes` at `offset`, which are on the medium when it resolves; says nothing of what other
   * writes left unsynced. A failure must end the process.
   */
  writeDurably(offset: number, bytes: Uint8Array): Promise<void>;
  /** Resolves when every write that had resolved is on the medium. A failure must end the process. */
  sync(): Promise<void>;
  size(): Promise<number>;
  /** Nothing may be under way. */
  close(): Promise<void>;
}

export type OpenMode = 'read' | 'write' | 'create';

export interface Disk {
  /** `create` makes a new file and refuses one that exists; `write` opens one that exists. */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a directory, sorted; empty when there is none. */
  list(directory: string): Promise<readonly string[]>;
  /** Makes a directory and what is missing above it, durable when it resolves; one that exists is no error. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removing what is not there is no error. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Bytes that can still be written below a directory. */
  freeBytes(directory: string): Promise<number>;
}
