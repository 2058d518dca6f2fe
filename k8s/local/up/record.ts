import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeAtomically } from '../host/files.ts';

/**
 * What `up` writes down in `.photondb`: `up.json` says how to connect, for people and programs; `kubectl`
 * is a program that reaches what is up; `state.json` says what was made, for `down`, and is written before
 * anything is made.
 */
export interface Connection {
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly namespace: string;
  readonly cluster: string;
  /** HOST:PORT for drivers. */
  readonly driver: string;
  /** The address of the admin page and the HTTP API. */
  readonly web: string;
  readonly user: string;
  readonly password: string;
}

export type Made =
  | { readonly mode: 'local'; readonly instance: string }
  | { readonly mode: 'context'; readonly context: string; readonly namespace: string };

export const root = join(import.meta.dirname, '..', '..', '..');
const folder = join(root, '.photondb');

/** Readable by the owner alone: it holds a password. */
const secretMode = 0o600;
const programMode = 0o755;

const write = (name: string, value: unknown): void => {
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, name), `${JSON.stringify(value, null, 2)}\n`, secretMode);
};

export function writeConnection(connection: Connection): void {
  write('up.json', connection);
  const program = join(folder, 'kubectl');
  writeAtomically(program, kubectlProgram(connection), programMode);
  chmodSync(program, programMode);
}

/** One word for a shell, whatever it contains. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** kubectl with the configuration of what is up, in the namespace of the database. */
export const kubectlProgram = ({ kubeconfig, kubectl }: Connection): string => `#!/bin/sh
# kubectl for what "npm run up" has started.
KUBECONFIG=${quoted(kubeconfig)} exec ${quoted(kubectl)} "$@"
`;

export const writeMade = (made: Made): void => write('state.json', made);

export function readMade(): Made | undefined {
  const text = readIfThere(join(folder, 'state.json'));
  return text === undefined ? undefined : (JSON.parse(text) as Made);
}

/** Forgets how to connect; what was made is remembered as long as some of it is there. */
export function forget(what: 'connection' | 'everything'): void {
  for (const name of ['up.json', 'kubectl']) rmSync(join(folder, name), { force: true });
  if (what === 'everything') rmSync(folder, { recursive: true, force: true });
}

/** The instance of this checkout: two checkouts on one machine do not share a cluster. */
export function upInstance(): string {
  return `up-${createHash('sha256').update(root).digest('hex').slice(0, 6)}`;
}
