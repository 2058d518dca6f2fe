import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';
import { readIfThere, writeAtomically } from '../host/files.ts';
import { withLock } from '../host/lock.ts';
import { bootId, startTime } from '../host/processes.ts';
import { blockOf, checkInstanceName, instancesMax, stateRoot } from './layout.ts';
import { hostRoutes, overlaps } from './network.ts';

/**
 * The record of an instance: the number that its addresses follow from, and the process that it
 * belongs to when it shall not outlive that one (a test run).
 */
export interface InstanceRecord {
  readonly instance: string;
  readonly index: number;
  readonly nodes: number;
  /** The process, by number, start time and boot; undefined when no process owns the instance. */
  readonly owner?: { readonly pid: number; readonly startTime: string; readonly boot: string };
}

const lockTimeoutMs = 60_000;

const recordFile = (instance: string): string => join(stateRoot, instance, 'instance.json');

export function readInstance(instance: string): InstanceRecord | undefined {
  const text = readIfThere(recordFile(instance));
  return text === undefined ? undefined : (JSON.parse(text) as InstanceRecord);
}

export function readInstances(): InstanceRecord[] {
  if (!existsSync(stateRoot)) return [];
  return readdirSync(stateRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readInstance(entry.name))
    .filter((record) => record !== undefined);
}

export interface Reservation {
  readonly instance: string;
  readonly nodes: number;
  /** Whether the instance ends with this process: what it leaves is then removed by the next run. */
  readonly ownedByProcess: boolean;
}

/** Reserves addresses for an instance, or answers what it has already. */
export function reserveInstance(reservation: Reservation): Promise<InstanceRecord> {
  const { instance, nodes } = reservation;
  checkInstanceName(instance);
  return withLock(join(stateRoot, 'lock'), { timeoutMs: lockTimeoutMs }, async () => {
    const existing = readInstance(instance);
    const index = existing?.index ?? freeIndex(readInstances(), await hostRoutes());
    const owner = { pid: process.pid, startTime: startTime(process.pid) ?? '', boot: bootId() };
    const record = { instance, index, nodes, ...(reservation.ownedByProcess && { owner }) };
    mkdirSync(join(stateRoot, instance, 'log'), { recursive: true });
    writeAtomically(recordFile(instance), `${JSON.stringify(record)}\n`);
    return record;
  });
}

/** The lowest number that no instance has, and whose addresses no route of the machine leads to. */
export function freeIndex(
  taken: readonly { readonly index: number }[],
  routes: readonly string[],
): number {
  for (let index = 0; index < instancesMax; index++) {
    const isTaken = taken.some((record) => record.index === index);
    if (!isTaken && !routes.some((route) => overlaps(route, blockOf(index)))) return index;
  }
  throw new LocalError(
    'local.no_address',
    `no addresses are left for another local cluster: ${blockOf(0)} to ${blockOf(instancesMax - 1)} are in use`,
    `Look at "ip route" and at the folders in ${stateRoot}.`,
  );
}

/** Whether an instance belonged to a process that has ended. */
export function isAbandoned({ owner }: InstanceRecord): boolean {
  if (owner === undefined) return false;
  return owner.boot !== bootId() || startTime(owner.pid) !== owner.startTime;
}
