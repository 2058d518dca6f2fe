import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import type { Served } from '../drivers/serve.ts';

/** What the writers of a node send, and by what. */
export const tables = ['first', 'second'] as const;
/** Parts are below it. */
export const partsMax = 11;
/** Where tables without a name of a database are. */
export const home = r.db('test');

export interface Content {
  readonly id: string;
  readonly version: number;
  /** What indexes are over. */
  readonly part: number;
  readonly text: string;
}

/** Most are small, some fill many pages: the log goes from segment to segment. */
function textBytes(version: number): number {
  if (version % 97 === 0) return 200_000;
  return version % 9 === 0 ? 9_000 : (version * 37) % 900;
}

/** The document of a version: the version determines every byte of it. */
export function contentOf(id: string, version: number): Content {
  const text = `${id}/${version};`.padEnd(textBytes(version), `${version};`);
  return { id, version, part: version % partsMax, text };
}

/** Runs a query, or fails when the connection ends first. */
export type Ask = <T>(query: { run(connection: Connection): Promise<T> }) => Promise<T>;

export interface Client {
  readonly ask: Ask;
  readonly connection: Connection;
  readonly closed: Promise<void>;
}

export async function connect(served: Served): Promise<Client> {
  const { host, driverPort: port } = served;
  const connection = await r.connect({ host, port, user: 'admin', password: '' });
  connection.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => connection.on('close', () => resolve()));
  const ended = closed.then((): never => {
    throw new Error('the connection ended');
  });
  ended.catch(() => undefined);
  return { connection, closed, ask: (query) => Promise.race([query.run(connection), ended]) };
}
