import type { Config } from '../../config/config.ts';

/** How many query workers there are, and how much memory each may use. Pure: what the machine has comes in. */
export interface Machine {
  readonly cores: number;
  /** That the node may use: of its container where that has a limit, otherwise of the machine. */
  readonly memoryBytes: number;
}

export interface WorkerSizes {
  /** 0: queries run in the process that has the data. */
  readonly count: number;
  readonly mebibytes: number;
  /** Of the runtime's heap: less, because the program itself and what is outside of the heap count, too. */
  readonly heapMebibytes: number;
}

const mebibyte = 1_048_576;
const workerMebibytesMax = 1_024;
const workerMebibytesMin = 192;
/** The program, mapped files and buffers. */
const outsideMebibytes = 64;
/** Of a worker, for the queries that it accounts: the runtime needs the rest. */
const accountedShare = 0.5;

export function workerSizes(
  config: Pick<Config, 'query-workers' | 'query-worker-mib'>,
  { cores, memoryBytes }: Machine,
): WorkerSizes {
  const { 'query-workers': wanted, 'query-worker-mib': given } = config;
  const count = wanted === 'auto' ? Math.max(1, cores - 1) : Number(wanted);
  const share = Math.floor(memoryBytes / 2 / mebibyte / Math.max(1, count));
  const ownShare = Math.min(workerMebibytesMax, Math.max(workerMebibytesMin, share));
  const mebibytes = given === 0 ? ownShare : given;
  return { count, mebibytes, heapMebibytes: mebibytes - outsideMebibytes };
}

/** The options of queries as they hold for one worker: its queries end with an error before it has to end itself. */
export function queryOptionsOf(config: Config, { count, mebibytes }: WorkerSizes): Config {
  const accounted = Math.floor(mebibytes * accountedShare);
  const all = Math.min(Math.ceil(config['queries-memory-mib'] / count), accounted);
  const one = Math.min(config['query-memory-mib'], all);
  return { ...config, 'queries-memory-mib': all, 'query-memory-mib': one };
}
