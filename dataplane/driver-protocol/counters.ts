/** What happened at the driver port since the start; the node exports it as metrics. */
export interface ProtocolCounters {
  queries: number;
  /** Queries and batches whose client went away before the answer. */
  queriesAborted: number;
  /** Queries and batches that were answered by an error. */
  queriesFailed: number;
  /** Frames that were no query: oversized, no JSON, of the wrong shape. */
  framesMalformed: number;
  handshakesMalformed: number;
  handshakesTimedOut: number;
  loginsFailed: number;
  /** Refused unseen, after too many failed ones. */
  loginsLocked: number;
  connectionsAccepted: number;
  /** Beyond the maximum. */
  connectionsRefused: number;
  /** Closed because nothing moved: the client did not read, or left a query half sent. */
  connectionsStalled: number;
}

export const noCounts = (): ProtocolCounters => ({
  queries: 0,
  queriesAborted: 0,
  queriesFailed: 0,
  framesMalformed: 0,
  handshakesMalformed: 0,
  handshakesTimedOut: 0,
  loginsFailed: 0,
  loginsLocked: 0,
  connectionsAccepted: 0,
  connectionsRefused: 0,
  connectionsStalled: 0,
});
