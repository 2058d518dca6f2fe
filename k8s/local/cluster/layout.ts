import { join } from 'node:path';
import { LocalError } from '../host/errors.ts';

/**
 * Where everything of an instance lies: folders, addresses, names. Pure: the same instance number gives
 * the same layout, so nothing but the number has to be recorded, and two instances share nothing.
 *
 * With nodes, instance n owns 10.(160+n).0.0/16:
 *
 *     10.x.0.1, 10.x.0.2          the host and the control plane's machine, one link
 *     10.x.I.1, 10.x.I.2          the control plane's machine and node I, one link each
 *     10.x.64.0/18                services
 *     10.x.(128+I).0/24           pods of node I
 *
 * Without nodes nothing needs an address of the network: the control plane listens on 127.97.n.1, since
 * all of 127.0.0.0/8 is the machine's own.
 */
export interface Layout {
  readonly instance: string;
  readonly index: number;
  readonly directory: string;
  /** The address of the API server and of DNS. */
  readonly api: string;
  readonly network: InstanceNetwork;
}

interface InstanceNetwork {
  /** Everything that the instance uses, as a route. */
  readonly block: string;
  readonly services: string;
  /** The first address of the services: the API server's, seen from pods. */
  readonly apiService: string;
  readonly pods: string;
  /** The host's address on its link to the control plane's machine: where pods reach programs of the host. */
  readonly host: string;
  /** The host's network device; at most 15 characters. */
  readonly device: string;
}

/** The folder of all instances. */
export const stateRoot = '/var/lib/photondb-local';
/** The Debian packages that were installed for instances, one a line. */
export const debianRecord = join(stateRoot, 'debian-packages');
/** As many instances can exist side by side. */
export const instancesMax = 32;
/** Node numbers are part of addresses: below the services' part of the block. */
export const nodesMax = 16;

const firstBlock = 160;

export function checkInstanceName(instance: string): void {
  if (/^[a-z][a-z0-9-]{0,19}$/.test(instance)) return;
  throw new LocalError(
    'local.invalid_instance',
    `"${instance}" is no name for a local cluster: use at most 20 of a-z, 0-9 and "-", starting with a letter`,
  );
}

export const blockOf = (index: number): string => `10.${firstBlock + index}.0.0/16`;

export function layoutOf(instance: string, index: number, withNodes: boolean): Layout {
  const prefix = `10.${firstBlock + index}`;
  return {
    instance,
    index,
    directory: join(stateRoot, instance),
    api: withNodes ? `${prefix}.0.2` : `127.97.${index}.1`,
    network: {
      block: blockOf(index),
      services: `${prefix}.64.0/18`,
      apiService: `${prefix}.64.1`,
      pods: `${prefix}.128.0/17`,
      host: `${prefix}.0.1`,
      device: `photon${index}`,
    },
  };
}

export interface NodeLayout {
  /** Its number, from 1. */
  readonly number: number;
  /** Its name in Kubernetes, and of its machine. */
  readonly name: string;
  readonly directory: string;
  readonly address: string;
  readonly gateway: string;
  readonly pods: string;
  /** Its cgroup, below the root of each hierarchy. */
  readonly cgroup: string;
}

/** How the cgroups of an instance begin, and those of no other: no name of an instance has a dot. */
export const cgroupPrefix = ({ instance }: Layout): string => `photondb-local.${instance}.`;

export function nodeLayout(layout: Layout, number: number): NodeLayout {
  const prefix = `10.${firstBlock + layout.index}`;
  return {
    number,
    name: `node${number}`,
    directory: join(layout.directory, `node${number}`),
    address: `${prefix}.${number}.2`,
    gateway: `${prefix}.${number}.1`,
    pods: `${prefix}.${128 + number}.0/24`,
    cgroup: `${cgroupPrefix(layout)}${number}`,
  };
}

export const logFile = (layout: Layout, machine: string, component: string): string =>
  join(layout.directory, 'log', `${machine}-${component}.log`);
