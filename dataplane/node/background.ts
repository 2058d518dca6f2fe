import type { NodeContext } from './context.ts';
import type { Service } from './services.ts';

/** Work that runs until the node stops; its failure is the node's. */
export interface BackgroundWork {
  readonly name: string;
  /** Rejects when the signal is aborted; undefined when there is nothing to do. */
  readonly run: (signal: AbortSignal) => Promise<unknown> | undefined;
  /** Whether the services before it wait for its end. */
  readonly isAwaited: boolean;
}

export function backgroundService(
  { signal, fail }: Pick<NodeContext, 'signal' | 'fail'>,
  { name, run, isAwaited }: BackgroundWork,
): Service {
  let running: Promise<unknown> | undefined;
  return {
    name,
    start() {
      running = run(signal)?.catch((error: unknown) => {
        if (!signal.aborted) fail(error as Error);
      });
    },
    async stop() {
      if (isAwaited) await running;
    },
  };
}
