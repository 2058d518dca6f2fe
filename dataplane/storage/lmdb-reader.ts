import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';
import { databaseNames } from '../kv/store.ts';
import type { ReadTransaction } from '../kv/store.ts';
import { Lending, LendingKeys } from './lmdb-encoding.ts';
import { defaultMapBytes, nameInLibrary, viewOf } from './lmdb-view.ts';
import type { Databases } from './lmdb-view.ts';

/**
 * The store of another process, which has it open for writing. Guarded invariants: each call of `read` has a snapshot
 * of its own, as new as the call; none outlives its call, whatever comes next in this process, since a snapshot keeps
 * the writer from using room again.
 */
export class LmdbReader {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #view: ReadTransaction;

  constructor({ directory, mapBytes }: { readonly directory: string; readonly mapBytes?: number }) {
    const encodings = { keyEncoder: new LendingKeys(), encoder: new Lending() };
    const root = open<Buffer, Buffer>({
      path: directory,
      readOnly: true,
      mapSize: mapBytes ?? defaultMapBytes,
      maxDbs: databaseNames.length + 4,
      ...encodings,
    } as Parameters<typeof open<Buffer, Buffer>>[0]);
    const databases = Object.fromEntries(
      databaseNames.map((name) => [
        name,
        root.openDB<Buffer, Buffer>({ name: nameInLibrary(name), ...encodings }),
      ]),
    ) as Databases;
    this.#root = root;
    this.#view = viewOf(databases, { transaction: undefined, requireOpen: () => undefined });
    root.resetReadTxn();
  }

  /** Runs `body` synchronously over one consistent view; nothing of the view may be kept. */
  read<T>(body: (transaction: ReadTransaction) => T): T {
    try {
      return body(this.#view);
    } finally {
      this.#root.resetReadTxn();
    }
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
