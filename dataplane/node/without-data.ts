import type { MemberView } from '../membership/member-view.ts';
import type { Catalog, NodeEnvironment } from '../query/environment.ts';
import { errorType, RuntimeError } from '../query/errors.ts';

/**
 * The environment of queries on a node without the role `data`: the system tables say how the node sees the
 * cluster; everything else is refused by an error that names the node with the data.
 */
export function withoutData(
  environment: NodeEnvironment,
  members: () => readonly MemberView[],
): NodeEnvironment {
  const refuse = (): never => {
    throw new RuntimeError(errorType.opFailed, refusalOf(environment.server.name, members()), []);
  };
  return { ...environment, catalog: refusingCatalog(environment.catalog, refuse), table: refuse };
}

function refusalOf(own: string, members: readonly MemberView[]): string {
  const data = members.filter(({ roles, isSelf }) => !isSelf && roles.includes('data'));
  const named = data.map(({ name, driver, status }) => {
    const where = driver === '' ? '' : ` at ${driver}`;
    return status === 'alive' ? `${name}${where}` : `${name}${where} (${status})`;
  });
  const where =
    named.length === 0
      ? 'No node with data has been seen yet.'
      : `Connect to the node with the data: ${named.join(', ')}.`;
  return `Node \`${own}\` has no data: it does not have the role \`data\`. ${where}`;
}

function refusingCatalog(catalog: Catalog, refuse: () => never): Catalog {
  const refusing = Object.keys(catalog).map((name) => [name, refuse]);
  return Object.fromEntries(refusing) as Catalog;
}
