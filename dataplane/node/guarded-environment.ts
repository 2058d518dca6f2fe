import type { Catalog, NodeEnvironment } from '../query/environment.ts';
import { errorType, RuntimeError } from '../query/errors.ts';

/**
 * The environment of queries on a node that may have to refuse them: what it has is not to be served while it is
 * quarantined. System tables and the names of databases and tables stay readable, so that people see why.
 */
const reads = new Set<keyof Catalog>([
  'databases',
  'database',
  'tables',
  'table',
  'tableById',
  'refresh',
  'ready',
]);

/** `refusal`: why nothing is served now; undefined when everything is. */
export function guardedEnvironment(
  environment: NodeEnvironment,
  refusal: () => string | undefined,
): NodeEnvironment {
  const require = (): void => requireServing(refusal);
  const { catalog } = environment;
  const guarded = Object.entries(catalog).map(([name, run]) => {
    if (reads.has(name as keyof Catalog)) return [name, run] as const;
    const change = run as (...args: unknown[]) => unknown;
    return [
      name,
      async (...args: unknown[]) => {
        require();
        return change(...args);
      },
    ] as const;
  });
  return {
    ...environment,
    catalog: Object.fromEntries(guarded) as unknown as Catalog,
    table(id, mode) {
      require();
      return environment.table(id, mode);
    },
  };
}

export function requireServing(refusal: () => string | undefined): void {
  const why = refusal();
  if (why !== undefined) throw new RuntimeError(errorType.opFailed, why, []);
}

/** For clients. */
export const quarantineRefusal = (name: string, reason: string): string =>
  `Node \`${name}\` is quarantined and serves no clients: it ${reason}. Connect to another node. An administrator ends the quarantine with \`npm run admin -- release ${name}\`, in Kubernetes with \`kubectl annotate photonnode ${name} photondb.io/order=release\`.`;
