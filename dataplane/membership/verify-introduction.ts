import type { Peer } from '../net/session.ts';
import { MessageRefusedError } from './errors.ts';
import type { Introduction } from './introduction.ts';
import type { KeyDirectory } from './key-directory.ts';
import type { QuarantineKeeper } from './quarantine-keeper.ts';

/** Whether a node that has proven its identity shows a key of its own; rejects with the reason. */
export async function verifyIntroduction(
  { nodeId }: Peer,
  { statement }: Introduction,
  { keys, keeper }: { readonly keys: KeyDirectory; readonly keeper: QuarantineKeeper },
): Promise<void> {
  try {
    const identity = await keys.accept(statement);
    if (identity.nodeId === nodeId) return;
    throw new MessageRefusedError(`Node ${nodeId} shows the key of node ${identity.nodeId}.`);
  } catch (error) {
    // Its own certificate was verified before.
    keeper.note(nodeId, 'invalidSignature', (error as Error).message);
    throw error;
  }
}
