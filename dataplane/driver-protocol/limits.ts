/** Every bound of the driver port; docs/internals/driver-protocol.md has the table with the reasons. */
export interface ProtocolLimits {
  readonly handshakeMs: number;
  readonly queryBytesMax: number;
  /** Queries that run at once on one connection; then nothing more is read from it. */
  readonly queriesMax: number;
  /** Open cursors of one connection. */
  readonly cursorsMax: number;
  /** Answers that the client has not taken; then no batch is made and nothing is read. */
  readonly queuedBytesMax: number;
  /**
   * Answers that are no streams are made as wholes, by queries that run side by side: beyond so many bytes
   * that wait, one that is not small is dropped, and its query answered by an error.
   */
  readonly wholeAnswersBytesMax: number;
  /** The same of all connections of a process, the first answer of each included. */
  readonly allAnswersBytesMax: number;
  /** An answer that is always kept: those of writes are small. */
  readonly smallAnswerBytes: number;
  /** What is read of a client although nothing more may run, so that its end is seen. */
  readonly readAheadBytes: number;
  /** Silence of the client, until TCP keep-alive probes it. */
  readonly keepAliveMs: number;
  /** A client may ask for larger batches than usual, up to this. */
  readonly batchBytesMax: number;
  /** Without any progress: of answers that wait, or in the middle of a query. */
  readonly stalledMs: number;
  /** Bytes that are written at once: progress is seen after each. */
  readonly sliceBytes: number;
  /** Connections beyond the maximum that get an error message at a time; others are closed. */
  readonly refusingMax: number;
  /** How long a refused client has for reading why. */
  readonly lingerMs: number;
  /** Of a node that stops: a client that asks nothing for so long is left. */
  readonly quietMs: number;
  /** For a client that asks all the time; then it is left after an answer. */
  readonly finishMs: number;
  /** How long a client that is left has for closing its end. */
  readonly farewellMs: number;
}

const mebibyte = 1_048_576;

export const protocolLimits: ProtocolLimits = {
  handshakeMs: 10_000,
  // A document and the one that it replaces go into one append of the log, which takes 128 MiB.
  queryBytesMax: 64 * mebibyte,
  queriesMax: 1_024,
  cursorsMax: 4_096,
  queuedBytesMax: 8 * mebibyte,
  wholeAnswersBytesMax: 128 * mebibyte,
  allAnswersBytesMax: 512 * mebibyte,
  smallAnswerBytes: 65_536,
  readAheadBytes: 65_536,
  keepAliveMs: 60_000,
  batchBytesMax: 16 * mebibyte,
  stalledMs: 60_000,
  sliceBytes: 262_144,
  refusingMax: 64,
  lingerMs: 2_000,
  quietMs: 50,
  finishMs: 2_000,
  farewellMs: 500,
};
