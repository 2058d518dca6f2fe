import type { GroupLog } from '../../replication/log.ts';
import type { Replication, ReplicationSource } from '../../replication/replicated-group.ts';

/** A source without a log of its own: what a log has was committed by others, who hand it over. */
export const replicating = (
  open: (log: GroupLog) => Replication,
  { node = 'a', founders = [node] }: { node?: string; founders?: readonly string[] } = {},
): ReplicationSource => ({
  node,
  founders,
  recovered: () => undefined,
  open,
  configurationOf: () => ({ voters: founders, outgoing: [], learners: [] }),
  payloadOf: () => new Uint8Array(),
});
