import type { Catalog } from '../../query/environment.ts';
import { failedIndex } from '../../query/terms/index-access.ts';
import { catalogChanges } from '../workers/remote-catalog.ts';
import type { CatalogChangeName } from '../workers/remote-catalog.ts';
import type { CatalogFollower } from './catalog-follower.ts';

/** The catalogue of another node: read here, changed there. `signal`: of the node. */
export function followedCatalog(follower: CatalogFollower, signal: AbortSignal): Catalog {
  const { replica } = follower;
  const change =
    (name: CatalogChangeName) =>
    (...args: unknown[]): Promise<unknown> =>
      follower.change(name, args, signal);
  const changes = Object.fromEntries(
    catalogChanges.map((name) => [name, change(name)]),
  ) as unknown as Pick<Catalog, CatalogChangeName>;
  return {
    ...changes,
    databases: () => replica.databases(),
    database: (name) => replica.database(name),
    tables: (id) => replica.tables(id),
    table: (id, name) => replica.table(id, name),
    tableById: (id) => replica.tableById(id),
    ready: async (id, names, query) => {
      const building = (): boolean => {
        const table = replica.tableById(id);
        const own = (table?.indexes ?? []).filter(({ name }) => names?.includes(name) ?? true);
        const failed = own.find(
          (index) => index.failure !== undefined && !(index as { isRebuilt?: boolean }).isRebuilt,
        );
        if (table !== undefined && failed !== undefined) throw failedIndex(table, failed);
        return own.some(({ ready }) => !ready);
      };
      if (!building()) return;
      while (building()) await follower.changed(query);
      // What is ready here is ready for all from now on.
      await follower.change('settle', [], query);
    },
  };
}
