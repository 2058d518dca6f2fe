import type { ChannelLimits } from '../channel.ts';

export const testLimits: ChannelLimits = {
  frameBytesMax: 1_048_576,
  requestsMax: 100,
  queuedBytesHigh: 1_048_576,
  queuedBytesMax: 4_194_304,
};
