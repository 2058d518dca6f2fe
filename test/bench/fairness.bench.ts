import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { hostileQueries } from './hostile-queries.ts';
import { residentMib } from './measure.ts';
import type { Benchmark } from './measure.ts';
import { queryText, RawConnection } from './raw-connection.ts';

/**
 * What ordinary clients notice of a hostile one: point reads on connections of their own, and probes of health, while
 * one connection runs the same hostile query again and again. PHOTONDB_QUERY_WORKERS says how many workers there are.
 */
const roundMs = Number(process.env['PHOTONDB_BENCH_ROUND_MS'] ?? 5_000);
const documents = 100_000;
const loadBatch = 500;
const readers = 4;
/** Between two reads of a connection, and between two probes: a client that is no load itself. */
const pauseMs = 2;
const probePauseMs = 100;
const probeMsMax = 1_000;

const [dbTable, get, insert, createTable, makeArray] = [15, 16, 56, 60, 2];
const table = [dbTable, ['t']];

interface Round {
  readonly times: number[];
  failedReads: number;
  failedProbes: number;
  slowestProbeMs: number;
  readonly hostile: { answered: number; refused: number; lost: number };
  coreMib: number;
  workersMib: number;
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

async function load(node: Served): Promise<void> {
  const connection = await open(node);
  await connection.run(queryText([createTable, ['t']]));
  for (let at = 0; at < documents; at += loadBatch) {
    const batch = Array.from({ length: loadBatch }, (_, place) => ({
      id: at + place,
      a: (at + place) % 100,
      text: `text of ${at + place} `.padEnd(120, 'x'),
    }));
    const query = [insert, [table, [makeArray, batch]]];
    await connection.run(queryText(query, { durability: 'soft' }));
  }
  connection.close();
}

const open = ({ host, driverPort: port }: Served): Promise<RawConnection> =>
  RawConnection.open({ host, port });

/** Runs what `use` does on a connection until the round is over, with a new connection after each failure. */
async function insist(
  node: Served,
  over: AbortSignal,
  use: (connection: RawConnection) => Promise<void>,
  failed: (error: Error) => void,
): Promise<void> {
  let connection: RawConnection | undefined;
  while (!over.aborted) {
    try {
      connection ??= await open(node);
      await use(connection);
    } catch (error) {
      if (over.aborted) break;
      failed(error as Error);
      connection?.close();
      connection = undefined;
    }
  }
  connection?.close();
}

/** An answer of the server that says no; everything else is the loss of the connection. */
const isRefusal = ({ message }: Error): boolean => message.includes('"t":');

async function attack(node: Served, query: string, round: Round, over: AbortSignal): Promise<void> {
  const { hostile } = round;
  const use = async (connection: RawConnection): Promise<void> => {
    await connection.run(query);
    hostile.answered += 1;
  };
  await insist(node, over, use, (error) => {
    if (isRefusal(error)) hostile.refused += 1;
    else hostile.lost += 1;
  });
}

async function read(node: Served, round: Round, over: AbortSignal): Promise<void> {
  const use = async (connection: RawConnection): Promise<void> => {
    const started = performance.now();
    await connection.run(queryText([get, [table, Math.floor(Math.random() * documents)]]));
    round.times.push(performance.now() - started);
    await sleep(pauseMs);
  };
  await insist(node, over, use, () => (round.failedReads += 1));
}

async function probe(node: Served, round: Round, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const started = performance.now();
    try {
      const signal = AbortSignal.timeout(probeMsMax);
      const { status } = await fetch(`http://${node.httpUrl}/health/live`, { signal });
      if (status !== 200) round.failedProbes += 1;
    } catch {
      round.failedProbes += 1;
    }
    round.slowestProbeMs = Math.max(round.slowestProbeMs, performance.now() - started);
    const pid = node.process.pid ?? -1;
    round.coreMib = Math.max(round.coreMib, residentMib(pid, 'VmRSS'));
    round.workersMib = Math.max(round.workersMib, ...childrenOf(pid).map(residentOf));
    await sleep(probePauseMs);
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** 0 for one that has ended meanwhile. */
function residentOf(pid: number): number {
  try {
    return residentMib(pid, 'VmRSS');
  } catch {
    return 0;
  }
}

const newRound = (): Round => ({
  times: [],
  failedReads: 0,
  failedProbes: 0,
  slowestProbeMs: 0,
  hostile: { answered: 0, refused: 0, lost: 0 },
  coreMib: 0,
  workersMib: 0,
});

async function play(node: Served, query: string | undefined, round: Round): Promise<number> {
  const over = new AbortController();
  const { signal } = over;
  const hostile = query === undefined ? [] : [attack(node, query, round, signal)];
  const others = Array.from({ length: readers }, () => read(node, round, signal));
  const probing = probe(node, round, signal);
  await sleep(roundMs);
  over.abort();
  await Promise.all([...others, probing]);
  // The hostile query itself may take for as long as it likes.
  await Promise.race([Promise.all(hostile), sleep(roundMs)]);
  return quantile(
    round.times.toSorted((a, b) => a - b),
    0.99,
  );
}

function noteOf(round: Round): string {
  const sorted = round.times.toSorted((a, b) => a - b);
  const ms = (value: number): string => value.toFixed(1);
  const { hostile } = round;
  return [
    `${sorted.length} reads: p50 ${ms(quantile(sorted, 0.5))} ms, max ${ms(sorted.at(-1) ?? Number.NaN)} ms, ${round.failedReads} failed`,
    `probes: slowest ${ms(round.slowestProbeMs)} ms, ${round.failedProbes} failed`,
    `hostile: ${hostile.answered} answered, ${hostile.refused} refused, ${hostile.lost} connections lost`,
    `core ${Math.round(round.coreMib)} MiB, largest worker ${Math.round(round.workersMib)} MiB`,
  ].join('; ');
}

export const benchmark: Benchmark = {
  about: `Point reads of ${readers} connections, and probes of health, beside one connection that runs a hostile query in a loop, over ${documents.toLocaleString('en')} documents.`,

  async run(compare) {
    const directory = temporaryDirectory();
    const node = await serve(directory);
    try {
      await load(node);
      for (const [name, query] of [['nothing', undefined] as const, ...hostileQueries()]) {
        const round = newRound();
        await compare({
          about: `Beside: ${name}`,
          unit: 'ms, p99 of a read',
          subjects: [{ name: 'node', run: () => play(node, query, round) }],
          note: () => noteOf(round),
        });
      }
    } finally {
      await end(node, 'SIGKILL');
      removeDirectory(directory);
    }
  },
};
