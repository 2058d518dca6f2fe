import type { Database } from 'lmdb';
import type { StoreStatistics } from '../kv/store.ts';

/** What LMDB's own counters say of its file: a few reads of its roots, however large it is. */
interface Tree {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface Environment {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly mapSize: number;
  /** The tree of the databases' names, and that of the free pages. */
  readonly root: Tree;
  readonly free: Tree;
}

type AnyDatabase = Database<Buffer, Buffer>;

/** Pages at the beginning of the file that belong to no tree. */
const headerPages = 2;

const pagesOf = ({ treeBranchPageCount, treeLeafPageCount, overflowPages }: Tree): number =>
  treeBranchPageCount + treeLeafPageCount + overflowPages;

export function pageStatistics(
  root: AnyDatabase,
  databases: readonly AnyDatabase[],
): Pick<StoreStatistics, 'usedBytes' | 'freeBytes' | 'fileBytesMax'> {
  const environment = root.getStats() as Environment;
  const { pageSize, lastPageNumber, mapSize } = environment;
  const trees = databases.map((database) => database.getStats() as Tree);
  const pages = [environment.root, environment.free, ...trees].map(pagesOf);
  const used = pages.reduce((sum, count) => sum + count, headerPages);
  return {
    usedBytes: used * pageSize,
    freeBytes: Math.max(0, lastPageNumber + 1 - used) * pageSize,
    fileBytesMax: mapSize,
  };
}
