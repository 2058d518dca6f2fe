import { Socket } from 'node:net';
import { Channel } from '../channel.ts';
import { testLimits } from './limits.ts';

/** A query worker for tests: it does what it is asked for, whatever that does to it. */
const socket = new Socket({ fd: 3, readable: true, writable: true });
const held: unknown[] = [];

const deeds: Record<string, () => unknown> = {
  hello: () => 'served',
  refuse: () => {
    throw new Error('no room');
  },
  'exit at once': () => process.exit(7),
  how: () => ({ doing: 'nothing' }),
  loop: () => {
    for (;;);
  },
  heap: () => {
    for (;;) held.push({ one: held });
  },
  map: () => {
    const map = new Map<number, number>();
    for (let at = 0; ; at += 1) map.set(at, at);
  },
  strings: () => {
    const grow = (): void => {
      for (let at = 0; at < 10; at += 1)
        held.push(Buffer.alloc(4_194_304, held.length % 200).toString('latin1'));
      setImmediate(grow);
    };
    grow();
    return null;
  },
  garbage: () => {
    socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    return null;
  },
  throw: () => {
    setImmediate(() => {
      throw new Error('a fault of the worker');
    });
    return null;
  },
};

const channel: Channel = new Channel({
  pipe: { write: (bytes) => socket.write(bytes), close: () => socket.destroy() },
  limits: testLimits,
  defer: (flush) => void setImmediate(flush),
  serve: (body) => deeds[String(body)]?.(),
  noticed: () => undefined,
  failureOf: (error) => (error as Error).message,
  ended: () => process.exit(),
});
socket.on('data', (chunk: Buffer) => channel.received(chunk));
socket.on('drain', () => channel.drained());
socket.on('close', () => channel.lost());
