import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { LocalError } from '../host/errors.ts';
import { waitFor } from '../host/wait.ts';
import type { Connection } from './record.ts';
import type { Target } from './target.ts';

/** A user's cluster is reached through its API server: `kubectl port-forward`, while `task` runs. */
const readyTimeoutMs = 30_000;

export async function withPortForward<T>(
  target: Target,
  { namespace, cluster, driver }: Connection,
  task: () => Promise<T>,
): Promise<T> {
  const port = Number(driver.split(':')[1]);
  if (await accepts(port)) {
    throw new LocalError(
      'local.command_failed',
      `port ${port} of this machine is in use, and kubectl port-forward needs it`,
      'Stop what listens there, then run the same command again.',
    );
  }
  const [program = '', ...args] = target.kubectl;
  const forward = ['port-forward', '--namespace', namespace, `service/${cluster}`, String(port)];
  const child = spawn(program, [...args, ...forward], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-1_000)));
  try {
    await waitFor(() => accepts(port), {
      what: `kubectl port-forward to ${cluster}`,
      timeoutMs: readyTimeoutMs,
      signal: target.signal,
      explain: () => said,
    });
    return await task();
  } finally {
    child.kill();
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
