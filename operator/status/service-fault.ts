/** Whether the Service for clients, as it is, leads to the nodes. Pure. */
import type { Metadata } from '../api/object.ts';

interface Port {
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly targetPort?: string | number;
}

export interface ObservedService {
  readonly metadata: Metadata;
  readonly spec?: {
    readonly type?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly Port[];
  };
}

function selectorFault(wanted: ObservedService, actual: ObservedService): string | undefined {
  const [want, is] = [wanted, actual].map(({ spec }) =>
    Object.entries(spec?.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
  );
  if (want === is) return undefined;
  return `its selector is "${is ?? ''}" and has to be "${want ?? ''}"`;
}

function portFault(wanted: Port, { spec }: ObservedService): string | undefined {
  const { name, port, targetPort } = wanted;
  const actual = spec?.ports?.find(
    (each) => each.port === port && (each.protocol ?? 'TCP') === 'TCP',
  );
  if (actual === undefined) return `port ${port} (${name}) is missing`;
  if (actual.targetPort === targetPort) return undefined;
  return `port ${port} (${name}) leads to ${actual.targetPort ?? 'nowhere'} and has to lead to ${targetPort}`;
}

/** What keeps clients from the nodes; undefined when nothing does. */
export function serviceFault(
  wanted: ObservedService,
  actual: ObservedService | undefined,
): string | undefined {
  const { name } = wanted.metadata;
  if (actual === undefined)
    return `the cluster has no Service ${name} of its own: clients have no address`;
  if (actual.metadata.deletionTimestamp !== undefined) return `Service ${name} is being deleted`;
  const faults = [
    actual.spec?.type === 'ExternalName' ? 'its type is ExternalName' : undefined,
    selectorFault(wanted, actual),
    ...(wanted.spec?.ports ?? []).map((port) => portFault(port, actual)),
  ].filter((fault) => fault !== undefined);
  if (faults.length === 0) return undefined;
  return `Service ${name} does not lead to the nodes: ${faults.join(', ')}`;
}
