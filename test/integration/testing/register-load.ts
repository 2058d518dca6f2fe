import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverAddress } from '../../drivers/local-cluster.ts';
import { checkRegister } from '../../simulation/linearizability.ts';
import { RegisterClient } from './register-clients.ts';
import type { RecordedOperation } from './register-clients.ts';

/** Clients of each node of a cluster that read and write the same registers, and what they saw of them. */
export interface LoadedNode {
  readonly name: string;
  /** Undefined while the node does not run. */
  address(): DriverAddress | undefined;
}

const clientsPerNode = 2;
const pollMs = 50;

export class RegisterLoad {
  readonly keys: readonly string[];
  readonly #clients: { readonly node: string; readonly client: RegisterClient }[] = [];
  /** By others than these clients. */
  readonly #others: RecordedOperation[] = [];
  readonly #password: string;

  constructor(
    nodes: readonly LoadedNode[],
    { keys, password = '' }: { readonly keys: readonly string[]; readonly password?: string },
  ) {
    this.keys = keys;
    this.#password = password;
    for (const node of nodes) this.add(node);
  }

  add(node: LoadedNode): void {
    const { keys } = this;
    for (let number = 1; number <= clientsPerNode; number += 1) {
      const parts = { keys, password: this.#password, address: () => node.address() };
      const client = new RegisterClient(`${node.name} ${number}`, parts);
      this.#clients.push({ node: node.name, client });
    }
  }

  record(operations: readonly RecordedOperation[]): void {
    this.#others.push(...operations);
  }

  /** Each client of these nodes, of all without names, gets so many operations more answered. */
  async progress(count: number, at?: readonly string[]): Promise<void> {
    const own = this.#clients.filter(({ node }) => at?.includes(node) !== false);
    const targets = own.map(({ client }) => client.answered + count);
    while (!own.every(({ client }, place) => client.answered >= (targets[place] ?? 0)))
      await sleep(pollMs);
  }

  /** No client begins another operation. */
  stop(): void {
    for (const { client } of this.#clients) client.stop();
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.end()));
  }

  historyOf(key: string): readonly RecordedOperation[] {
    const all = [...this.#clients.flatMap(({ client }) => client.history), ...this.#others];
    return all.filter((operation) => operation.key === key);
  }

  get operations(): number {
    return this.keys.reduce((sum, key) => sum + this.historyOf(key).length, 0);
  }

  /** Throws when no order of the operations of a register explains what was seen of it. */
  check(): void {
    for (const key of this.keys) {
      const { isLinearizable, unexplained } = checkRegister(this.historyOf(key));
      if (isLinearizable) continue;
      const lines = unexplained
        .slice(0, 12)
        .map((each) => `${each.kind} ${each.value} ${each.calledAt} to ${each.returnedAt}`);
      throw new Error(`the register ${key} is not linearizable:\n${lines.join('\n')}`);
    }
  }
}
