import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import { residentMib } from './measure.ts';
import type { Benchmark } from './measure.ts';

/** How long a node is left alone before its memory is read: garbage of the start is collected by then. */
const idleMs = 5_000;

/** Starts a node on an empty directory, hands it to `look`, and stops it. */
async function withNode(look: (pid: number, startMs: number) => Promise<number>): Promise<number> {
  const directory = temporaryDirectory();
  const started = performance.now();
  const node = await serve(directory);
  try {
    return await look(node.process.pid ?? -1, performance.now() - started);
  } finally {
    node.process.kill('SIGTERM');
    if (node.process.exitCode === null) await once(node.process, 'exit');
    removeDirectory(directory);
  }
}

export const benchmark: Benchmark = {
  about: 'A node on an empty directory: a process of its own, as `npm run serve` starts it.',

  async run(compare) {
    await compare({
      about: 'From the start of the process to its ready line',
      unit: 'ms',
      subjects: [
        { name: 'node', run: () => withNode((_pid, startMs) => Promise.resolve(startMs)) },
      ],
    });
    await compare({
      about: 'Memory of its own (RssAnon), idle',
      unit: 'MiB',
      subjects: [
        {
          name: 'node',
          run: () =>
            withNode(async (pid) => {
              await sleep(idleMs);
              return residentMib(pid, 'RssAnon');
            }),
        },
      ],
    });
  },
};
