/**
 * The one way to start a task that is not awaited: its failure goes to `onError`, which must not
 * throw, so that no rejection is ever lost or unhandled.
 */
export function spawn(task: () => Promise<void>, onError: (error: unknown) => void): void {
  const run = async (): Promise<void> => {
    try {
      await task();
    } catch (error) {
      onError(error);
    }
  };
  void run();
}
