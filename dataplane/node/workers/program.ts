import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Channel } from '../../workers/channel.ts';
import { failureOf } from './failures.ts';
import { channelLimits } from './limits.ts';
import { WorkerNode } from './worker-node.ts';

/**
 * The parts of a query worker, joined. It inherits its channel to the core (descriptor 3) and the socket of the driver port
 * (descriptor 4), and ends when the channel ends: the core is gone, or does not want it any more.
 */
const socket = new Socket({ fd: 3, readable: true, writable: true });

const channel: Channel = new Channel({
  pipe: { write: (bytes) => socket.write(bytes), close: () => socket.destroy() },
  limits: channelLimits,
  defer: (flush) => void setImmediate(flush),
  serve: (body, request) => node.serve(body, request),
  noticed: () => undefined,
  failureOf,
  ended: () => process.exit(),
});
const node = new WorkerNode(channel);

socket.on('data', (chunk: Buffer) => channel.received(chunk));
socket.on('drain', () => channel.drained());
socket.on('error', () => channel.lost());
socket.on('close', () => channel.lost());

// A terminal sends Ctrl-C to the core and its workers: it is the core that decides.
process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined);

try {
  // When memory is short, the kernel ends a worker rather than the core.
  writeFileSync('/proc/self/oom_score_adj', '500');
} catch {
  // Not Linux, or not allowed: the watch of the core is left.
}
