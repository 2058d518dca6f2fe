import { wantedNodes } from '../resources/layout.ts';
import { claimName } from '../resources/names.ts';
import type { Context } from './task.ts';

/** Claims of this cluster that no wanted node uses, such as after a StatefulSet was scaled by hand. */
export function unusedClaims({ cluster, tools }: Context): readonly string[] {
  const used = new Set(wantedNodes(cluster).map(({ name }) => claimName(name)));
  return tools.informers.volumeClaims
    .ofCluster(cluster)
    .map(({ metadata }) => metadata.name)
    .filter((name) => !used.has(name))
    .sort();
}
