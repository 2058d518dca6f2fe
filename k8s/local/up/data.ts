import r from 'rethinkdb';
import type { Step } from '../host/steps.ts';
import { waitFor } from '../host/wait.ts';
import { loadDatasets } from '../load-datasets.ts';
import type { Connection } from './record.ts';

/** Loads the real documents as any application would: through the official driver. */
const connectTimeoutMs = 60_000;
const barLength = 24;

export async function loadData(to: Connection, step: Step, signal: AbortSignal): Promise<void> {
  const [host = '', port = ''] = to.driver.split(':');
  const options = { host, port: Number(port), user: to.user, password: to.password };
  let last = '';
  const connection = await waitFor(
    () =>
      r.connect(options).catch((error: unknown) => {
        // It will not get better, and the driver would throw once more when its time is up.
        if (error instanceof Error && error.name === 'ReqlAuthError') throw error;
        last = error instanceof Error ? error.message : String(error);
        return undefined;
      }),
    {
      what: `an answer of the driver port ${to.driver}`,
      timeoutMs: connectTimeoutMs,
      signal,
      explain: () => last,
    },
  );
  try {
    const started = Date.now();
    let before = 0;
    let table = '';
    let tableTotal = 0;
    const loaded = await loadDatasets(connection, (progress) => {
      if (progress.table !== table) before += tableTotal;
      ({ table, total: tableTotal } = progress);
      const rate = (before + progress.done) / ((Date.now() - started) / 1000);
      step.progress(
        `${bar(progress.done / progress.total)} ${table} ${progress.done}/${progress.total}, ${Math.round(rate)} documents/s`,
      );
    });
    const { documents, written, seconds } = loaded;
    step.progress(
      written === 0
        ? `${documents} documents, loaded before`
        : `${documents} documents, ${Math.round(written / seconds)} documents/s`,
    );
  } finally {
    await connection.close();
  }
}

export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barLength);
  return `[${'#'.repeat(full)}${'.'.repeat(barLength - full)}]`;
}
