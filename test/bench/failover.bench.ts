import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { containerProcess } from '../../k8s/local/cluster/chaos.ts';
import { signalProcess } from '../../k8s/local/host/processes.ts';
import { mustRun, words } from '../../k8s/local/host/run.ts';
import { root } from '../../k8s/local/up/record.ts';
import { median } from './measure.ts';
import type { Benchmark, Comparison } from './measure.ts';

/**
 * A pod that leads a shard is deleted or killed, while clients write to all shards through the Service, one document
 * after the other. Each client gives up an answer after two seconds and connects again, as an application with a deadline
 * does. Each trial takes another pod: one that ends again and again is quarantined.
 */
const clients = 3;
/** The types of the driver do not know it. */
const placement: object = { shards: 3 };
const patienceMs = 2_000;
/** A busy machine takes its time for passwords. */
const handshakeSeconds = 10;
const trialsPerRun = 4;
/** Writes before the fault, and after the cluster is whole again. */
const settleMs = 1_000;
const healMsMax = 180_000;
const connectMsMax = 60_000;
const lookMs = 250;

interface Up {
  readonly kubectl: string;
  readonly kubeconfig: string;
  readonly cluster: string;
  readonly driver: string;
  readonly user: string;
  readonly password: string;
}

const upFile = join(root, '.photondb', 'up.json');

function readUp(): Up {
  try {
    return JSON.parse(readFileSync(upFile, 'utf8')) as Up;
  } catch (error) {
    throw new Error('This benchmark needs the cluster of `npm run up`: start it first.', {
      cause: error,
    });
  }
}

const kubectl = async (...args: readonly string[]): Promise<string> =>
  (await mustRun([join(root, '.photondb', 'kubectl'), ...args])).trim();

function connect({ driver, user, password }: Up): Promise<Connection> {
  const [host = '', port] = driver.split(':');
  return r.connect({ host, port: Number(port), user, password, timeout: handshakeSeconds });
}

async function connected(up: Up): Promise<Connection> {
  const until = performance.now() + connectMsMax;
  for (;;) {
    try {
      const connection = await connect(up);
      // A pod that ends resets it: the next query says so.
      connection.on('error', () => undefined);
      return connection;
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(lookMs / 10);
    }
  }
}

async function withConnection<T>(up: Up, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connected(up);
  try {
    return await work(connection);
  } finally {
    await connection.close({ noreplyWait: false }).catch(() => undefined);
  }
}

const tableName = 'failover_shards';
const table = () => r.db('test').table(tableName);

async function prepare(up: Up): Promise<void> {
  await withConnection(up, async (connection) => {
    const tables = await r.db('test').tableList().run(connection);
    if (!tables.includes(tableName))
      await r.db('test').tableCreate(tableName, placement).run(connection);
    await table().wait().run(connection);
  });
}

/** Closed by the node between two writes: nothing was sent, and nothing failed. */
const isClosed = (error: Error): boolean => error.message.includes('Connection is closed');

/** One client: the longest time from the end of a write to that of the next one, and the writes that failed. */
class Writer {
  longestMs = 0;
  written = 0;
  readonly failures: string[] = [];
  readonly ended: Promise<void>;
  #isOver = false;
  readonly #up: Up;

  constructor(up: Up) {
    this.#up = up;
    this.ended = this.#write();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.ended;
  }

  async #write(): Promise<void> {
    let connection = await connected(this.#up);
    let last = performance.now();
    while (!this.#isOver) {
      try {
        await inTime(table().insert({ at: Date.now() }).run(connection));
        this.longestMs = Math.max(this.longestMs, performance.now() - last);
        last = performance.now();
        this.written += 1;
      } catch (error) {
        if (!isClosed(error as Error)) this.failures.push((error as Error).message);
        await inTime(connection.close({ noreplyWait: false })).catch(() => undefined);
        connection = await connected(this.#up);
      }
    }
    // A pause that has not ended counts, too.
    this.longestMs = Math.max(this.longestMs, performance.now() - last);
    await inTime(connection.close({ noreplyWait: false })).catch(() => undefined);
  }
}

/** The other end may be gone without a packet. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`no answer in ${patienceMs} ms`)),
    () => undefined as never,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}

interface Status {
  readonly shards: readonly { readonly primary_replicas: readonly string[] }[];
}

/** The pods whose nodes lead a shard of the table: nodes have the names of their pods. */
const leaders = (up: Up): Promise<readonly string[]> =>
  withConnection(up, async (connection) => {
    const statuses = r
      .db('rethinkdb')
      .table('table_status')
      .filter({ db: 'test', name: tableName });
    const [status] = await (await statuses.run(connection)).toArray<Status>();
    return (status?.shards ?? []).flatMap(({ primary_replicas }) => primary_replicas);
  });

/** The trial in which each pod was taken last. */
const takenIn = new Map<string, number>();
let trials = 0;

/** Of those that lead a shard, the one that was left alone for the longest time. */
async function nextPod(up: Up): Promise<string> {
  const pods = await leaders(up);
  const [pod] = [...pods].toSorted(
    (one, other) => (takenIn.get(one) ?? 0) - (takenIn.get(other) ?? 0),
  );
  if (pod === undefined) throw new Error('The table has no leader.');
  trials += 1;
  takenIn.set(pod, trials);
  return pod;
}

async function isWhole({ cluster }: Up): Promise<boolean> {
  const ready = `{.status.conditions[?(@.type=="Ready")].status}`;
  const nodes = '{.items[*].status.health}';
  const selector = `photondb.io/cluster=${cluster}`;
  const of = await kubectl(...words`get photoncluster ${cluster}`, `--output=jsonpath=${ready}`);
  const health = await kubectl(
    ...words`get photonnodes --selector ${selector}`,
    `--output=jsonpath=${nodes}`,
  );
  return of === 'True' && health.split(' ').every((each) => each === 'Ready');
}

async function whole(up: Up): Promise<void> {
  const until = performance.now() + healMsMax;
  while (!(await isWhole(up).catch(() => false))) {
    if (performance.now() > until) throw new Error('The cluster does not become whole again.');
    await sleep(lookMs);
  }
}

type Fault = (pod: string) => Promise<void>;

const faults: readonly (readonly [name: string, fault: Fault])[] = [
  ['pod deleted', async (pod) => void (await kubectl(...words`delete pod ${pod} --wait=false`))],
  [
    'pod deleted by force',
    async (pod) =>
      void (await kubectl(...words`delete pod ${pod} --wait=false --grace-period=0 --force`)),
  ],
  [
    'container killed',
    async (pod) => {
      const path = '--output=jsonpath={.status.containerStatuses[0].containerID}';
      signalProcess(containerProcess(await kubectl(...words`get pod ${pod}`, path)), 'SIGKILL');
    },
  ],
];

interface Trial {
  readonly pauseMs: number;
  readonly failures: readonly string[];
}

async function isReady(pod: string): Promise<boolean> {
  const ready = `{.status.conditions[?(@.type=="Ready")].status}`;
  return (await kubectl(...words`get pod ${pod}`, `--output=jsonpath=${ready}`)) === 'True';
}

async function trial(up: Up, fault: Fault): Promise<Trial> {
  await whole(up);
  const uidOf = (pod: string): Promise<string> =>
    kubectl(
      ...words`get pod ${pod} --output=jsonpath={.metadata.uid}/{.status.containerStatuses[0].containerID}`,
    );
  const writers = Array.from({ length: clients }, () => new Writer(up));
  try {
    await sleep(settleMs);
    const pod = await nextPod(up);
    const before = await uidOf(pod);
    await fault(pod);
    const until = performance.now() + healMsMax;
    // The status of the cluster is that of before for a moment.
    const isBack = async (): Promise<boolean> =>
      (await uidOf(pod)) !== before && (await isReady(pod));
    while (!(await isBack().catch(() => false)) && performance.now() < until) await sleep(lookMs);
    await whole(up);
    await sleep(settleMs);
  } finally {
    await Promise.all(writers.map((writer) => writer.end()));
  }
  const pauseMs = Math.max(...writers.map(({ longestMs }) => longestMs));
  return { pauseMs, failures: writers.flatMap(({ failures }) => failures) };
}

function comparisonOf(up: Up): Comparison {
  const all = new Map<string, Trial[]>(faults.map(([name]) => [name, []]));
  const textOf = ([name, trials]: [string, readonly Trial[]]): string => {
    const pauses = trials.map(({ pauseMs }) => Math.round(pauseMs)).toSorted((a, b) => a - b);
    const failures = trials.flatMap((each) => each.failures);
    const kinds = [...new Set(failures)].map((text) => text.split('\n')[0]?.slice(0, 100));
    const failed = `${failures.length} failed writes${failures.length === 0 ? '' : ` (${kinds.join('; ')})`}`;
    return `${name}: ${pauses.length} trials, median ${median(pauses)} ms, longest ${pauses.at(-1)} ms, ${failed}`;
  };
  return {
    about: `The longest pause between two writes of a client, ${clients} clients, median of ${trialsPerRun} trials`,
    unit: 'ms',
    subjects: faults.map(([name, fault]) => ({
      name,
      run: async () => {
        const own: Trial[] = [];
        for (let at = 0; at < trialsPerRun; at += 1) own.push(await trial(up, fault));
        all.get(name)?.push(...own);
        return median(own.map(({ pauseMs }) => pauseMs));
      },
    })),
    note: () => `${[...all].map(textOf).join('; ')}; load average ${loadavg()[0]?.toFixed(1)}`,
  };
}

export const benchmark: Benchmark = {
  about:
    'Failover on Kubernetes, in the cluster of `npm run up`, as clients of its Service see it.',

  async run(compare) {
    const up = readUp();
    await prepare(up);
    await compare(comparisonOf(up));
  },
};
