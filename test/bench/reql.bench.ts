import { removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { median } from './measure.ts';
import type { Benchmark } from './measure.ts';
import { RawConnection } from './raw-connection.ts';
import type { Address } from './raw-connection.ts';
import { batchQuery, operations, preparation, sustained } from './reql-operations.ts';
import type { Operation } from './reql-operations.ts';

/**
 * Queries through the driver port, by a client that does as little as it can. RETHINKDB_PEER=HOST:PORT names a
 * RethinkDB that does the same.
 */
const connectionCounts = [1, 16, 64] as const;
const roundMs = 1_000;
const sustainedSeconds = 20;

interface Server {
  readonly name: string;
  readonly connections: readonly RawConnection[];
}

async function connect(name: string, address: Address): Promise<Server> {
  const most = Math.max(...connectionCounts);
  const opening = Array.from({ length: most }, () => RawConnection.open(address));
  const connections = await Promise.all(opening);
  const [first] = connections;
  for (const query of preparation()) await first?.run(query);
  return { name, connections };
}

/** The share of one core that this process had in the last round of each subject. */
class ClientShare {
  readonly shares: number[] = [];

  async over<T>(run: () => Promise<T>): Promise<T> {
    const [started, before] = [performance.now(), process.cpuUsage()];
    const answer = await run();
    const { user, system } = process.cpuUsage(before);
    this.shares.push((user + system) / 1_000 / (performance.now() - started));
    return answer;
  }

  take(): number {
    return median(this.shares.splice(0));
  }
}

/** Queries a second of so many connections, each with one query under way. */
async function rate(server: Server, operation: Operation, count: number): Promise<number> {
  const started = performance.now();
  let queries = 0;
  const work = async (connection: RawConnection): Promise<void> => {
    while (performance.now() - started < roundMs) {
      await connection.run(operation.query(queries, Math.random()));
      queries += 1;
    }
  };
  await Promise.all(server.connections.slice(0, count).map(work));
  return (queries * 1_000) / (performance.now() - started);
}

/** Documents that were acknowledged in each second of a load that does not end. */
async function perSecond({ connections }: Server): Promise<number[]> {
  const seconds = Array.from({ length: sustainedSeconds }, () => 0);
  const started = performance.now();
  const now = (): number => Math.floor((performance.now() - started) / 1_000);
  const work = async (connection: RawConnection): Promise<void> => {
    while (now() < sustainedSeconds) {
      await connection.run(batchQuery());
      const second = now();
      if (second < sustainedSeconds) seconds[second] = (seconds[second] ?? 0) + sustained.batch;
    }
  };
  await Promise.all(connections.slice(0, sustained.connections).map(work));
  return seconds;
}

async function servers(node: Served): Promise<Server[]> {
  const own = await connect('PhotonDB', { host: node.host, port: node.driverPort });
  const [host, port] = process.env['RETHINKDB_PEER']?.split(':') ?? [];
  if (host === undefined || port === undefined) return [own];
  return [own, await connect('RethinkDB', { host, port: Number(port) })];
}

async function compareAll(
  all: readonly Server[],
  compare: Parameters<Benchmark['run']>[0],
): Promise<void> {
  const client = new ClientShare();
  for (const count of connectionCounts) {
    for (const operation of operations) {
      await compare({
        about: `${operation.name}, ${count} connections`,
        unit: 'queries/s',
        subjects: all.map((server) => ({
          name: server.name,
          run: () => client.over(() => rate(server, operation, count)),
        })),
        note: () => `the client took ${client.take().toFixed(2)} of a core`,
      });
    }
  }
  const figures = [
    ['median second', median],
    ['worst second', (seconds: readonly number[]) => Math.min(...seconds)],
  ] as const;
  for (const [name, figure] of figures) {
    await compare({
      about: `Batches of ${sustained.batch} documents of 1 KB, ${sustained.connections} connections, ${sustainedSeconds} s: ${name}`,
      unit: 'documents/s',
      subjects: all.map((server) => ({
        name: server.name,
        run: async () => figure(await perSecond(server)),
      })),
    });
  }
}

export const benchmark: Benchmark = {
  about: 'Queries through the driver port, over 20,000 documents of 300 bytes, writes hard.',

  async run(compare) {
    const directory = temporaryDirectory();
    const node = await serve(directory);
    try {
      const all = await servers(node);
      await compareAll(all, compare);
      for (const { connections } of all) for (const each of connections) each.close();
    } finally {
      node.process.kill('SIGTERM');
      removeDirectory(directory);
    }
  },
};
