/** The bounds of an HTTP port: what is asked of it is small, and comes from a few people and programs. */
export interface HttpLimits {
  /** Beyond it the connection that was idle for the longest time is closed. */
  readonly connectionsMax: number;
  /** From the connection, or the last answer, to the end of a request's headers. */
  readonly headersMs: number;
  /** To the end of the whole request. */
  readonly requestMs: number;
  /** A connection on which nothing moves, also one whose client does not read its answer. */
  readonly stalledMs: number;
  /** How often the time limits of requests are checked. */
  readonly checkMs: number;
  readonly keepAliveMs: number;
  readonly headerBytesMax: number;
  readonly headersMax: number;
}

export const httpLimits: HttpLimits = {
  connectionsMax: 256,
  headersMs: 10_000,
  requestMs: 20_000,
  stalledMs: 60_000,
  checkMs: 2_000,
  // Prometheus asks every 15 or 30 s.
  keepAliveMs: 65_000,
  headerBytesMax: 16_384,
  headersMax: 64,
};
