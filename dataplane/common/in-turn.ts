/** Runs tasks one after the other; each caller gets the result of its own task, and a failure stops no other task. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const running = after(this.#last, task);
    this.#last = running;
    return running;
  }

  /** Resolves when the tasks that were begun have ended, in whichever way. */
  async ended(): Promise<void> {
    await Promise.allSettled([this.#last]);
  }
}

async function after<T>(before: Promise<unknown>, task: () => Promise<T>): Promise<T> {
  await Promise.allSettled([before]);
  return task();
}
