import { existsSync } from 'node:fs';
import { OwnNode } from '../kubernetes/own-node.ts';
import type { NodeContext } from './context.ts';
import { identityDirectory } from './identity.ts';

/** The PhotonNode of the pod that the operator runs this node in; undefined anywhere else. */
export function podOf({
  apiServer,
  config,
}: Pick<NodeContext, 'apiServer' | 'config'>): OwnNode | undefined {
  const isPodOfOperator = apiServer !== undefined && existsSync(`${identityDirectory}/token`);
  if (!isPodOfOperator) return undefined;
  return new OwnNode({ apiServer, directory: identityDirectory, name: config['node-name'] });
}
