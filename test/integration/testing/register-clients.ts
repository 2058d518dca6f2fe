import { setTimeout as sleep } from 'node:timers/promises';
import { RawConnection, queryText } from '../../bench/raw-connection.ts';
import type { DriverAddress } from '../../drivers/local-cluster.ts';
import type { Operation } from '../../simulation/linearizability.ts';

/** Clients of real nodes that read and write registers, and remember when each operation was called and answered. */
export interface RecordedOperation extends Operation {
  readonly key: string;
  value: string | undefined;
  returnedAt: number;
}

const registersTable = [15, [[14, ['test']], 'registers']];
const pauseMs = 10;
const reconnectMs = 100;
/** What every write says that has happened. */
const donePattern = /"(?:inserted|replaced|unchanged)":1/;

const writeText = (id: string, v: string): string =>
  queryText([56, [registersTable, { id, v }], { conflict: 'replace' }]);

const readText = (id: string): string =>
  queryText([92, [[170, [[16, [registersTable, id]], 'v']], null]]);

const called = (key: string) => ({
  key,
  calledAt: performance.now(),
  returnedAt: Number.POSITIVE_INFINITY,
});

function valueIn(answer: string): string | undefined {
  const [value] = (JSON.parse(answer) as { readonly r: readonly (string | null)[] }).r;
  return value ?? undefined;
}

/** One read by whoever has the connection; it never returns when it fails. */
export async function recordedRead(
  connection: RawConnection,
  key: string,
): Promise<RecordedOperation> {
  const operation: RecordedOperation = { ...called(key), kind: 'read', value: undefined };
  try {
    operation.value = valueIn(await connection.run(readText(key)));
    operation.returnedAt = performance.now();
  } catch {
    // The node knows that it does not lead.
  }
  return operation;
}

/** One operation at a time, at one node. A node that does not answer is waited for; one that is gone is tried again. */
export class RegisterClient {
  readonly history: RecordedOperation[] = [];
  readonly #name: string;
  readonly #keys: readonly string[];
  readonly #address: () => DriverAddress | undefined;
  readonly #password: string;
  #connection: RawConnection | undefined;
  #count = 0;
  #isOver = false;
  readonly #ended: Promise<void>;

  constructor(
    name: string,
    parts: {
      readonly keys: readonly string[];
      readonly password?: string;
      address(): DriverAddress | undefined;
    },
  ) {
    this.#name = name;
    this.#keys = parts.keys;
    this.#address = () => parts.address();
    this.#password = parts.password ?? '';
    this.#ended = this.#run();
  }

  /** Operations that were answered. */
  get answered(): number {
    return this.history.filter(({ returnedAt }) => Number.isFinite(returnedAt)).length;
  }

  stop(): void {
    this.#isOver = true;
  }

  end(): Promise<void> {
    this.stop();
    return this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const connection = await this.#connected();
      if (connection === undefined) await sleep(reconnectMs);
      else await this.#operate(connection);
      await sleep(pauseMs);
    }
    this.#connection?.close();
  }

  async #connected(): Promise<RawConnection | undefined> {
    const address = this.#address();
    if (this.#connection === undefined && address !== undefined)
      this.#connection = await RawConnection.open(address, 'admin', this.#password).catch(
        () => undefined,
      );
    return this.#connection;
  }

  async #operate(connection: RawConnection): Promise<void> {
    this.#count += 1;
    const key = this.#keys[Math.floor(Math.random() * this.#keys.length)] ?? '';
    const base = called(key);
    const operation: RecordedOperation =
      Math.random() < 0.5
        ? { ...base, kind: 'read', value: undefined }
        : { ...base, kind: 'write', value: `${this.#name} ${this.#count}` };
    this.history.push(operation);
    const text = operation.kind === 'read' ? readText(key) : writeText(key, operation.value ?? '');
    try {
      this.#answered(operation, await connection.run(text));
    } catch (error) {
      // Whether a write that failed was applied is taken for unknown.
      if (!(error as Error).message.startsWith('the server answered')) {
        connection.close();
        this.#connection = undefined;
      }
    }
  }

  #answered(operation: RecordedOperation, answer: string): void {
    if (operation.kind === 'read') operation.value = valueIn(answer);
    else if (!donePattern.test(answer)) return;
    operation.returnedAt = performance.now();
  }
}
