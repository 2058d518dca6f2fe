import type { ChannelLimits } from '../../workers/channel.ts';
import type { WatchLimits } from '../../workers/supervision.ts';

/** Bounds of the channel between the core and each query worker, and of the watch over it. */
const mebibyte = 1_048_576;

export const channelLimits: ChannelLimits = {
  // A query and a document and the one that it replaces, as one message.
  frameBytesMax: 192 * mebibyte,
  // Of all connections of a worker: each runs 1,024 queries at most, and most of them wait for the core.
  requestsMax: 262_144,
  queuedBytesHigh: 32 * mebibyte,
  queuedBytesMax: 512 * mebibyte,
};

export const watchLimits: Omit<WatchLimits, 'ownBytesMax'> = {
  periodMs: 250,
  silentMsMax: 10_000,
};

/** From the start of a worker until it serves: a busy machine takes seconds to load the program. */
export const startMsMax = 60_000;
