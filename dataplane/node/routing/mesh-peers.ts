import { NotServingError, PeerUnreachableError } from '../../membership/errors.ts';
import type { Mesh } from '../../membership/mesh.ts';
import type { PeerRequestName } from '../../membership/peer-requests.ts';
import {
  ConnectionLostError,
  DeadlineError,
  PeerError,
  PeerOverloadedError,
  SessionRefusedError,
} from '../../net/errors.ts';
import { AnswerLostError, NotSentError } from '../../router/errors.ts';
import type { ShardPeers } from '../../router/peers.ts';
import { operationOf } from '../../router/shard-link.ts';
import type { ShardService } from './shard-service.ts';

/** Refusals of a peer before it carried out anything. */
const refusedCodes: ReadonlySet<string> = new Set([
  'net.overloaded',
  'net.duplicate',
  'membership.not_serving',
  'membership.quarantined',
]);
/** The peer began, and does not say how it ended. */
const lostCodes: ReadonlySet<string> = new Set([
  'net.unsent',
  'net.deadline',
  'net.connection_lost',
  'net.internal',
]);

/** Whether a request of this node was carried out, in the terms of the router. */
function routedError(error: unknown): unknown {
  const { message } = error as Error;
  const isUnsent =
    error instanceof PeerUnreachableError ||
    error instanceof PeerOverloadedError ||
    error instanceof SessionRefusedError ||
    error instanceof NotServingError ||
    (error instanceof PeerError && refusedCodes.has(error.peerCode));
  if (isUnsent) return new NotSentError(message, { cause: error });
  const isLost =
    error instanceof ConnectionLostError ||
    error instanceof DeadlineError ||
    (error instanceof PeerError && lostCodes.has(error.peerCode));
  return isLost ? new AnswerLostError(message, { cause: error }) : error;
}

export async function askPeer(
  mesh: Mesh | undefined,
  to: { readonly node: string; readonly name: PeerRequestName },
  payload: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (mesh === undefined) throw new NotSentError('This node is not connected to any other one.');
  try {
    return await mesh.request(to.node, to.name, payload, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw routedError(error);
  }
}

/** Shards of other nodes over the mesh, and of this one without it. */
export const meshPeers = (
  mesh: () => Mesh | undefined,
  own: () => ShardService | undefined,
): ShardPeers => ({
  ask: async (node, { kind, bytes }, signal) => {
    const here = own();
    if (node === here?.node) return here.answer(bytes, signal);
    const name = operationOf(kind) === 'read' ? 'readTable' : 'editTable';
    return askPeer(mesh(), { node, name }, bytes, signal);
  },
});
