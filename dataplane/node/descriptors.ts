import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/config.ts';

/**
 * Shares the file descriptors of the process among those who use them, so that connections never take
 * the ones that the log and the store need.
 */
export interface DescriptorShares {
  readonly driverConnections: number;
  /** Of each of the two HTTP ports. */
  readonly httpConnections: number;
}

/** Log, store, status, the runtime itself: 50 were seen at most. */
const ownMax = 96;
/** Held for the log beside them: its newest and its next file, each twice, a directory, and readers. */
export const logReserve = 16;
const httpConnectionsMin = 8;
const driverConnectionsMin = 16;
const httpShare = 1 / 8;

/** The limit of open files, as the system says it; undefined where it says nothing. */
export function descriptorLimit(
  read: () => string = () => readFileSync('/proc/self/limits', 'utf8'),
): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(read()) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** Throws when a node cannot work within the limit. */
export function shareDescriptors(
  limit: number | undefined,
  wanted: {
    readonly driverConnections: number;
    readonly httpConnections: number;
    readonly refusing: number;
  },
): DescriptorShares {
  const { driverConnections, httpConnections, refusing } = wanted;
  if (limit === undefined) return { driverConnections, httpConnections };
  const forClients = limit - ownMax - logReserve - refusing;
  const http = Math.min(
    httpConnections,
    Math.max(httpConnectionsMin, Math.floor(forClients * httpShare)),
  );
  const drivers = Math.min(driverConnections, forClients - 2 * http);
  if (drivers < Math.min(driverConnectionsMin, driverConnections)) {
    const needed = limit - drivers + driverConnectionsMin;
    throw new ConfigError(
      `The limit of open files is ${limit}, and a node needs ${needed} at least: raise it (ulimit -n).`,
    );
  }
  return { driverConnections: drivers, httpConnections: http };
}
