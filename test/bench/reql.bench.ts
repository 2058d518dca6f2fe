import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import { sustained } from './bench-documents.ts';
import { median } from './measure.ts';
import type { Benchmark } from './measure.ts';
import { operationNames } from './reql-operations.ts';
import type { OperationName } from './reql-operations.ts';
import { openServers } from './reql-peers.ts';
import type { Client, Server } from './reql-peers.ts';

/**
 * Queries through the driver port, by a client that does as little as it can. PostgreSQL does the same in SQL when it
 * is installed; RETHINKDB_PEER=HOST:PORT names a RethinkDB that does it, too.
 */
const connectionCounts = [1, 16, 64] as const;
const roundMs = Number(process.env['PHOTONDB_BENCH_ROUND_MS'] ?? 1_000);
const sustainedSeconds = Number(process.env['PHOTONDB_BENCH_SUSTAINED_SECONDS'] ?? 20);

/** Figures beside the one that is compared: the median of the rounds of each server, without the one that warms up. */
class Beside {
  readonly #figures = new Map<string, number[]>();

  add(name: string, figure: number): void {
    const figures = this.#figures.get(name) ?? [];
    figures.push(figure);
    this.#figures.set(name, figures);
  }

  take(asText: (figure: number) => string): string {
    const texts = [...this.#figures].map(
      ([name, figures]) => `${asText(median(figures.slice(1)))} with ${name}`,
    );
    this.#figures.clear();
    return texts.join(', ');
  }
}

/** The share of one core that this process had. */
const shares = new Beside();

async function sharing<T>(name: string, run: () => Promise<T>): Promise<T> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  const answer = await run();
  const { user, system } = process.cpuUsage(before);
  shares.add(name, (user + system) / 1_000 / (performance.now() - started));
  return answer;
}

const shareText = (): string =>
  `the client's share of a core: ${shares.take((share) => share.toFixed(2))}`;

/** Queries a second of so many connections, each with one query under way. */
async function rate(server: Server, operation: OperationName, count: number): Promise<number> {
  const started = performance.now();
  let queries = 0;
  const work = async (client: Client): Promise<void> => {
    while (performance.now() - started < roundMs) {
      await client.operate(operation, queries, Math.random());
      queries += 1;
    }
  };
  await Promise.all(server.clients.slice(0, count).map(work));
  return (queries * 1_000) / (performance.now() - started);
}

interface Sustained {
  /** Documents that were acknowledged in each second. */
  readonly seconds: readonly number[];
  /** How long batches took. */
  readonly p99Ms: number;
}

async function sustain({ clients }: Server): Promise<Sustained> {
  const seconds = Array.from({ length: sustainedSeconds }, () => 0);
  const times: number[] = [];
  const started = performance.now();
  const elapsed = (): number => performance.now() - started;
  const work = async (client: Client): Promise<void> => {
    while (elapsed() < sustainedSeconds * 1_000) {
      const sent = elapsed();
      await client.insertBatch();
      times.push(elapsed() - sent);
      const second = Math.floor(elapsed() / 1_000);
      if (second < sustainedSeconds) seconds[second] = (seconds[second] ?? 0) + sustained.batch;
    }
  };
  await Promise.all(clients.slice(0, sustained.connections).map(work));
  times.sort((a, b) => a - b);
  return { seconds, p99Ms: times[Math.floor(times.length * 0.99)] ?? Number.NaN };
}

type Compare = Parameters<Benchmark['run']>[0];

async function compareSustained(all: readonly Server[], compare: Compare): Promise<void> {
  const { batch, connections } = sustained;
  const [worst, p99] = [new Beside(), new Beside()];
  const run = async (server: Server): Promise<number> => {
    const { seconds, p99Ms } = await sharing(server.name, () => sustain(server));
    worst.add(server.name, Math.min(...seconds));
    p99.add(server.name, p99Ms);
    return median(seconds);
  };
  const whole = (figure: number): string => Math.round(figure).toLocaleString('en');
  await compare({
    about: `Batches of ${batch} documents of 1 KB, ${connections} connections, ${sustainedSeconds} s: median second`,
    unit: 'documents/s',
    subjects: all.map((server) => ({ name: server.name, run: () => run(server) })),
    note: () =>
      `worst second: ${worst.take(whole)}; p99 of a batch in ms: ${p99.take(whole)}; ${shareText()}`,
  });
}

async function compareAll(all: readonly Server[], compare: Compare): Promise<void> {
  for (const count of connectionCounts) {
    for (const operation of operationNames) {
      await compare({
        about: `${operation}, ${count} connections`,
        unit: 'queries/s',
        subjects: all.map((server) => ({
          name: server.name,
          run: () => sharing(server.name, () => rate(server, operation, count)),
        })),
        note: shareText,
      });
    }
  }
  await compareSustained(all, compare);
}

export const benchmark: Benchmark = {
  about: 'Queries through the driver port, over 20,000 documents of 300 bytes, writes hard.',

  async run(compare) {
    const directory = temporaryDirectory();
    const node = await serve(directory);
    const all: Server[] = [];
    try {
      await openServers(node, Math.max(...connectionCounts), all);
      await compareAll(all, compare);
    } finally {
      await Promise.allSettled(all.map((server) => server.close()));
      await end(node);
      removeDirectory(directory);
    }
  },
};
