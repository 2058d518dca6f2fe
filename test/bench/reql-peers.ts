import type { Served } from '../drivers/serve.ts';
import { PostgresConnection } from './postgres-connection.ts';
import { batchStatement, postgresOperations, postgresPreparation } from './postgres-operations.ts';
import { absentText, findPostgres, startPostgres } from './postgres-server.ts';
import type { Installed } from './postgres-server.ts';
import { RawConnection } from './raw-connection.ts';
import type { Address } from './raw-connection.ts';
import { batchQuery, preparation, reqlOperations } from './reql-operations.ts';
import type { OperationName } from './reql-operations.ts';

/** One connection, which runs one operation at a time. */
export interface Client {
  operate(name: OperationName, count: number, random: number): Promise<unknown>;
  insertBatch(): Promise<unknown>;
}

/** A server that has the documents, and its open connections. */
export interface Server {
  readonly name: string;
  readonly clients: readonly Client[];
  close(): Promise<void>;
}

const times = <T>(count: number, open: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, open));

async function openReql(name: string, address: Address, count: number): Promise<Server> {
  const connections = await times(count, () => RawConnection.open(address));
  for (const query of preparation()) await connections[0]?.run(query);
  return {
    name,
    clients: connections.map((connection) => ({
      operate: (operation, nth, random) => connection.run(reqlOperations[operation](nth, random)),
      insertBatch: () => connection.run(batchQuery()),
    })),
    async close() {
      for (const connection of connections) connection.close();
    },
  };
}

async function openPostgres(installed: Installed, count: number): Promise<Server> {
  const { address, login, version, stop } = await startPostgres(installed, count);
  try {
    const connections = await times(count, () => PostgresConnection.open(address, login));
    for (const statement of postgresPreparation()) await connections[0]?.run(statement);
    return {
      name: `PostgreSQL ${version}`,
      clients: connections.map((connection) => ({
        operate: (operation, nth, random) =>
          connection.run(postgresOperations[operation](nth, random)),
        insertBatch: () => connection.run(batchStatement()),
      })),
      async close() {
        for (const connection of connections) connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** PhotonDB, and the peers that there are; `opened` has those to close when a later one does not open. */
export async function openServers(node: Served, count: number, opened: Server[]): Promise<void> {
  opened.push(await openReql('PhotonDB', { host: node.host, port: node.driverPort }, count));
  const [host, port] = process.env['RETHINKDB_PEER']?.split(':') ?? [];
  if (host !== undefined && port !== undefined)
    opened.push(await openReql('RethinkDB', { host, port: Number(port) }, count));
  const installed = findPostgres();
  if (installed === undefined) console.error(absentText);
  else opened.push(await openPostgres(installed, count));
}
