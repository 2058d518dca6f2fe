import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PhotonError } from '../../common/errors.ts';
import { askAdmin } from '../admin-tool/client.ts';
import { exitCode } from '../exit-code.ts';
import { NodeProcess } from './node-process.ts';
import {
  clusterHelp,
  clusterOptionsOf,
  commandOf,
  nameOf,
  portFlags,
  UsageError,
} from './options.ts';
import type { ClusterOptions } from './options.ts';

/**
 * `npm run cluster`: nodes on this machine that form one cluster. The first one founds it, the others join with tokens
 * of their own, and each has the data. A node that ends is left as it is.
 */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The node that founded the cluster has no data, though others are members. */
class FounderLostError extends PhotonError {
  readonly code = 'node.founder_lost';
}

/** The directory of the cluster is that of one node. */
class NodeDirectoryError extends PhotonError {
  readonly code = 'node.node_directory';
}

class LocalCluster {
  readonly #options: ClusterOptions;
  readonly #processes: NodeProcess[] = [];
  readonly #isReplicated: boolean;
  #isStopping = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#isReplicated = options.isReplicated && options.nodes > 1 && !this.#wasMadeForOneCopy();
  }

  /** Of a cluster that was made so, by this release or an earlier one. */
  #wasMadeForOneCopy(): boolean {
    const { nodes } = this.#options;
    const others = Array.from({ length: nodes - 1 }, (_, at) => at + 1);
    const hasOthers = others.some((index) => this.#isMember(index));
    const stored = join(this.#directoryOf(0), 'cluster', 'replication.json');
    return hasOthers && !existsSync(stored);
  }

  #isMember(index: number): boolean {
    return existsSync(join(this.#directoryOf(index), 'IDENTITY'));
  }

  /** Resolves when all nodes serve. */
  async start(): Promise<void> {
    this.#checkDirectory();
    const { nodes, only } = this.#options;
    const indexes = Array.from({ length: nodes }, (_, index) => index);
    const wanted = indexes.filter((index) => only === undefined || nameOf(index) === only);
    const [first, ...others] = wanted;
    if (first === 0) {
      this.#checkFounder(indexes);
      await this.#launch(0, []).ready;
      await Promise.all(others.map((index) => this.#join(index)));
    } else {
      await Promise.all(wanted.map((index) => this.#join(index)));
    }
    // They have started together, in whatever order.
    const inOrder = this.#processes.toSorted((left, right) =>
      left.name.localeCompare(right.name, 'en', { numeric: true }),
    );
    for (const { line } of inOrder) process.stdout.write(`${line}\n`);
  }

  /** Its data would not be those of the cluster, which would lie between them. */
  #checkDirectory(): void {
    const { directory } = this.#options;
    if (!existsSync(join(directory, 'IDENTITY'))) return;
    throw new NodeDirectoryError(
      `${directory} is the data directory of one node, which \`npm run serve\` starts. A cluster has a directory with one for each node: choose another one with --data-dir.`,
    );
  }

  /** A node with an empty directory would found a second cluster. */
  #checkFounder(indexes: readonly number[]): void {
    const member = indexes.find((index) => this.#isMember(index));
    if (member === undefined || member === 0) return;
    const lost = this.#directoryOf(0);
    const [founder, other] = [nameOf(0), nameOf(member)];
    throw new FounderLostError(
      `${founder} founded the cluster, and its data directory ${lost} is empty or missing, while ${other} is a member. Starting ${founder} would found a second cluster. Restore the directory from a backup, or start the others without it: ${commandOf(this.#options, other)}`,
    );
  }

  #directoryOf(index: number): string {
    return join(this.#options.directory, nameOf(index));
  }

  async #join(index: number): Promise<void> {
    const [founder] = this.#processes;
    const seeds = founder === undefined ? [] : ['--join', founder.address('cluster')];
    if (this.#isMember(index)) {
      await this.#launch(index, seeds).ready;
      return;
    }
    const answer = await askAdmin(this.#directoryOf(0), undefined, {
      method: 'POST',
      path: '/admin/v1/join-tokens',
    });
    const [address, token, hash] = [answer['address'], answer['token'], answer['authorityHash']];
    const flags = ['--join', address, '--join-token', token, '--join-ca-hash', hash].map(String);
    await this.#launch(index, flags).ready;
  }

  #launch(index: number, flags: readonly string[]): NodeProcess {
    const name = nameOf(index);
    const { ports } = this.#options;
    const isReplicated = this.#isReplicated;
    const hasData = index === 0 || isReplicated;
    const roles = hasData ? 'data,coordinator,consensus' : 'coordinator,consensus';
    const own = ['--data-dir', this.#directoryOf(index), '--roles', roles];
    if (isReplicated) own.push('--replicated');
    const all = [...own, ...portFlags(index, ports), ...flags, ...this.#options.flags];
    const node = new NodeProcess(name, all, say);
    this.#processes.push(node);
    void node.ended.then((sentence) => {
      if (this.#isStopping) return;
      say(`${sentence}. Start it again: ${commandOf(this.#options, name)}`);
    });
    return node;
  }

  /** Resolves when every node has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#processes.map(({ ended }) => ended));
  }

  /** The first one, which may have the data alone, last. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const [first, ...others] = this.#processes;
    for (const node of others) node.stop();
    await Promise.all(others.map(({ ended }) => ended));
    first?.stop();
    await first?.ended;
  }
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${clusterHelp}\n`);
    return;
  }
  const cluster = new LocalCluster(clusterOptionsOf(args));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    void cluster.stop().then(() => process.exit(exitCode.stopped));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  await cluster.ended();
  if (!isStopping) process.exit(exitCode.failed);
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  const { message, stack } = error as Error;
  const text = error instanceof PhotonError ? message : String(stack);
  const code = error instanceof UsageError ? exitCode.configuration : exitCode.failed;
  process.stderr.write(`${text}\n`, () => process.exit(code));
});
