/** Asks one thing after the other until it is stopped. */
export class Traffic {
  readonly failures: string[] = [];
  count = 0;
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(ask: (count: number) => Promise<unknown>) {
    this.#ended = this.#run(ask);
  }

  async #run(ask: (count: number) => Promise<unknown>): Promise<void> {
    while (!this.#isStopped) {
      try {
        await ask(this.count);
        this.count += 1;
      } catch (error) {
        this.failures.push((error as Error).message);
        return;
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}

/**
 * Requests to other nodes that did not end well, as the node counts them that has its metrics at `address`. Echoes only
 * compare clocks, and one that is late on a busy machine is repeated.
 */
export async function failedRequestsAt(address: string): Promise<readonly string[]> {
  const metrics = await (await fetch(`http://${address}/_metrics`)).text();
  return metrics
    .split('\n')
    .filter((line) => line.startsWith('photondb_peer_request_duration_seconds_count{'))
    .filter((line) => !line.includes('outcome="ok"') && !line.includes('request="echo"'));
}
