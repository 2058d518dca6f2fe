import type { AddressInfo } from 'node:net';
import { noCounts } from '../driver-protocol/counters.ts';
import type { ProtocolCounters } from '../driver-protocol/counters.ts';
import type { DriverServer } from '../driver-protocol/driver-server.ts';
import { errorType, RuntimeError } from '../query/errors.ts';
import type { RunningQuery } from '../query/node-report.ts';
import { termText } from '../query/term-text.ts';
import type { QueryMeasurements } from './query-measurements.ts';

/** The clients of the driver port and their queries, wherever these run: in this process or in query workers. */
export interface DriverFigures {
  readonly connections: number;
  readonly running: number;
  readonly openCursors: number;
  readonly queuedBytes: number;
  readonly counters: Readonly<ProtocolCounters>;
}

export interface WorkerFigures {
  readonly workers: number;
  readonly workersReplaced: number;
  /** Documents that workers have read from the store themselves. */
  readonly directReads: number;
  /** Reads that workers asked the core for, of tables that they may read themselves. */
  readonly forwardedReads: number;
}

export interface Drivers {
  /** How long queries took and what they read, as of the last `refresh`. */
  readonly measurements: QueryMeasurements;
  /** As of the last `refresh`, where the clients are not those of this process. */
  readonly figures: DriverFigures;
  readonly workerFigures: WorkerFigures;
  /** Undefined before it listens. */
  readonly port: number | undefined;
  refresh(): Promise<void>;
  queries(): Promise<readonly RunningQuery[]>;
  /** Whether there was such a query. */
  cancelQuery(id: string): Promise<boolean>;
}

export const noFigures = (): DriverFigures => ({
  connections: 0,
  running: 0,
  openCursors: 0,
  queuedBytes: 0,
  counters: noCounts(),
});

export const figuresOf = (server: DriverServer): DriverFigures => {
  const { connections, running, openCursors, queuedBytes, counters } = server;
  return { connections, running, openCursors, queuedBytes, counters };
};

export const queriesOf = (server: DriverServer): RunningQuery[] =>
  server.queries.list().map(({ term, ...query }) => ({ ...query, text: termText(term) }));

/** Ends a query as the table `jobs` does. */
export function cancelIn(server: DriverServer, id: string): boolean {
  const words = 'Query terminated by the `rethinkdb.jobs` table.';
  return server.queries.cancel(id, new RuntimeError(errorType.opIndeterminate, words, []));
}

/** Those of a server in this process; undefined before it is there. */
export function localDrivers(
  server: () => DriverServer | undefined,
  measurements: QueryMeasurements,
): Drivers {
  return {
    measurements,
    get figures() {
      const found = server();
      return found === undefined ? noFigures() : figuresOf(found);
    },
    workerFigures: { workers: 0, workersReplaced: 0, directReads: 0, forwardedReads: 0 },
    get port() {
      const address = server()?.tcp.address() as AddressInfo | null | undefined;
      return address?.port;
    },
    refresh: () => Promise.resolve(),
    queries: async () => {
      const found = server();
      return found === undefined ? [] : queriesOf(found);
    },
    cancelQuery: async (id) => {
      const found = server();
      return found !== undefined && cancelIn(found, id);
    },
  };
}
