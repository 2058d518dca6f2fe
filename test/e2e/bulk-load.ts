import { setTimeout as sleep } from 'node:timers/promises';
import { RawConnection, queryText } from '../bench/raw-connection.ts';
import { password } from './networked-nodes.ts';
import type { NetworkedNode } from './networked-nodes.ts';

/** Large documents, which make logs and stores grow; those that were acknowledged must stay. */
const name = 'bulk';
const table = [15, [[14, ['test']], name]];
const documentBytes = 200_000;
/** At once. */
const writers = 4;
const retryMs = 100;

const insertText = (id: string): string =>
  queryText([56, [table, { id, filler: id.padEnd(documentBytes, 'x') }]]);

const readText = (id: string): string => queryText([92, [[170, [[16, [table, id]], 'id']], null]]);

export class BulkLoad {
  readonly acknowledged: string[] = [];
  #count = 0;

  static readonly created = (shards: number, replicas: number): string =>
    queryText([60, [[14, ['test']], name], { shards, replicas }]);

  /** Writes by a node until so many bytes more are acknowledged: what is refused is tried with another document. */
  async write(node: NetworkedNode, bytes: number): Promise<void> {
    const target = this.acknowledged.length + Math.ceil(bytes / documentBytes);
    const write = async (): Promise<void> => {
      const connection = await this.#open(node);
      try {
        while (this.acknowledged.length < target) await this.#insert(connection);
      } finally {
        connection.close();
      }
    };
    await Promise.all(Array.from({ length: writers }, write));
  }

  #open(node: NetworkedNode): Promise<RawConnection> {
    if (node.driver === undefined) throw new Error(`${node.name} does not run`);
    return RawConnection.open(node.driver, 'admin', password);
  }

  async #insert(connection: RawConnection): Promise<void> {
    this.#count += 1;
    const id = `bulk ${this.#count}`;
    try {
      if ((await connection.run(insertText(id))).includes('"inserted":1')) {
        this.acknowledged.push(id);
        return;
      }
    } catch (error) {
      if (!(error as Error).message.startsWith('the server answered')) throw error;
    }
    // Its shard refuses writes for now.
    await sleep(retryMs);
  }

  /** Throws when an acknowledged document is not there, as a node sees it. */
  async check(node: NetworkedNode): Promise<void> {
    const connection = await this.#open(node);
    try {
      for (const id of this.acknowledged) {
        const answer = await connection.run(readText(id));
        if (!answer.includes(`"${id}"`)) throw new Error(`${node.name} has lost ${id}`);
      }
    } finally {
      connection.close();
    }
  }
}
