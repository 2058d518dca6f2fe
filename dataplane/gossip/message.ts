import type { NodeId, Update } from './member.ts';
import type { Delta, Digest } from './versioned-state.ts';

/**
 * What nodes say to one another. Datagrams may be lost, repeated and reordered; `sync` messages grow with
 * the cluster and go through a reliable stream.
 */
interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** News that travel with the message. */
  readonly updates: readonly Update[];
}

/** Answered by `ack` with the same sequence number. */
interface Ping extends Envelope {
  readonly type: 'ping';
  readonly sequence: number;
}

/** Asks the receiver to probe `target`; answered by `ack`, or by `nack` when the target is silent. */
export interface PingRequest extends Envelope {
  readonly type: 'pingRequest';
  readonly sequence: number;
  readonly target: NodeId;
}

/** `nack`: the one who was asked lives, and the target does not answer it (Lifeguard, section IV.A). */
export interface Acknowledgement extends Envelope {
  readonly type: 'ack' | 'nack';
  readonly sequence: number;
}

interface Gossip extends Envelope {
  readonly type: 'gossip';
}

/** Answered by `syncRequest` when the receiver does not know the same: most exchanges end here. */
export interface Summary extends Envelope {
  readonly type: 'summary';
  readonly members: number;
  readonly states: number;
}

/**
 * Scuttlebutt (van Renesse 2008): `syncRequest` says what its sender has, `syncReply` answers with what
 * that lacks and with a digest of its own, `syncDelta` closes the exchange.
 */
interface SyncRequest extends Envelope {
  readonly type: 'syncRequest';
  readonly digest: Digest;
}

interface SyncReply extends Envelope {
  readonly type: 'syncReply';
  readonly delta: Delta;
  readonly digest: Digest;
}

interface SyncDelta extends Envelope {
  readonly type: 'syncDelta';
  readonly delta: Delta;
}

export type Message =
  | Ping
  | PingRequest
  | Acknowledgement
  | Gossip
  | Summary
  | SyncRequest
  | SyncReply
  | SyncDelta;

type WithoutEnvelope<M> = M extends Message ? Omit<M, 'from' | 'to' | 'updates'> : never;

/** A message before its sender adds the envelope and the news. */
export type MessageBody = WithoutEnvelope<Message>;

/** Sent through a stream: neither lost nor repeated while the connection stands. */
export const isReliable: Readonly<Record<Message['type'], boolean>> = {
  ping: false,
  pingRequest: false,
  ack: false,
  nack: false,
  gossip: false,
  summary: false,
  syncRequest: true,
  syncReply: true,
  syncDelta: true,
};
