import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeAtomically } from '../host/files.ts';

/**
 * What `up` writes down in `.photondb`: `up.json` says how to connect, for people and programs;
 * `state.json` says what was made, for `down`, and is written before anything is made.
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

const write = (name: string, value: unknown): void => {
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, name), `${JSON.stringify(value, null, 2)}\n`, secretMode);
};

export const writeConnection = (connection: Connection): void => write('up.json', connection);
export const writeMade = (made: Made): void => write('state.json', made);

export function readMade(): Made | undefined {
  const text = readIfThere(join(folder, 'state.json'));
  return text === undefined ? undefined : (JSON.parse(text) as Made);
}

/** Forgets how to connect; what was made is remembered as long as some of it is there. */
export function forget(what: 'connection' | 'everything'): void {
  rmSync(join(folder, 'up.json'), { force: true });
  if (what === 'everything') rmSync(folder, { recursive: true, force: true });
}

/** The instance of this checkout: two checkouts on one machine do not share a cluster. */
export function upInstance(): string {
  return `up-${createHash('sha256').update(root).digest('hex').slice(0, 6)}`;
}
