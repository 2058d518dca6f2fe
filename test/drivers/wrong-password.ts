import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const deadlineMs = 15_000;

/** Connects in a process of its own, prints what the driver says, and ends. */
const script = `
const r = require('rethinkdb');
const [host, port, password] = process.argv.slice(1);
const say = (text) => process.stdout.write(text, () => process.exit(0));
r.connect({ host, port: Number(port), user: 'admin', password }).then(() => say('let in'), (error) => say(error.message));
`;

/**
 * What the official driver says to a password. NB: the driver forgets a timer when it is refused,
 * which fails the whole process 20 s later: hence a process of its own.
 */
export async function sayOfPassword(host: string, port: number, password: string): Promise<string> {
  const args = ['-e', script, host, String(port), password];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: deadlineMs });
  return stdout;
}
