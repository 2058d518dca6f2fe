import { mustRun, run } from '../host/run.ts';
import { inNetworkOf } from './machine.ts';
import type { Machine } from './machine.ts';
import type { Layout, NodeLayout } from './layout.ts';

/**
 * The links of a cluster with nodes: host - control plane's machine - each node, and pods hang on their
 * node. The control plane's machine has no default route, so nothing of the cluster can leave; the
 * host's packet filter is not touched. All devices go with the machines that hold their other end.
 */
const linkMask = '/30';

/** The lowest preference there is: the host never sends to the cluster by its default route. */
const lastMetric = '4000000000';

const ip = (...args: string[]): Promise<string> => mustRun(['ip', ...args]);

export async function connectControlPlane(layout: Layout, control: Machine): Promise<void> {
  const { network } = layout;
  const inside = (...args: string[]): Promise<string> =>
    mustRun(inNetworkOf(control, ['ip', ...args]));
  await run(['ip', 'link', 'delete', network.device]); // Of a killed start; usually not there.
  await ip(
    ...['link', 'add', network.device, 'type', 'veth'],
    ...['peer', 'name', 'eth0', 'netns', String(control.pid)],
  );
  await ip('address', 'add', `${network.host}${linkMask}`, 'dev', network.device);
  await ip('link', 'set', network.device, 'up');
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'add', `${layout.api}${linkMask}`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await forwardPackets(control);
  // Lets the API server connect to services (webhooks): kube-proxy rewrites the address before it leaves.
  await inside('route', 'add', network.services, 'dev', 'lo', 'src', layout.api);
  await ip('route', 'replace', 'unreachable', network.block, 'metric', lastMetric);
  await ip('route', 'replace', network.block, 'via', layout.api, 'dev', network.device);
}

export async function connectNode(
  control: Machine,
  node: Machine,
  layout: NodeLayout,
): Promise<void> {
  const outside = (...args: string[]): Promise<string> =>
    mustRun(inNetworkOf(control, ['ip', ...args]));
  const inside = (...args: string[]): Promise<string> =>
    mustRun(inNetworkOf(node, ['ip', ...args]));
  await run(inNetworkOf(control, ['ip', 'link', 'delete', layout.name]));
  await outside(
    ...['link', 'add', layout.name, 'type', 'veth'],
    ...['peer', 'name', 'eth0', 'netns', String(node.pid)],
  );
  await outside('address', 'add', `${layout.gateway}${linkMask}`, 'dev', layout.name);
  await outside('link', 'set', layout.name, 'up');
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'add', `${layout.address}${linkMask}`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await forwardPackets(node);
  await inside('route', 'add', 'default', 'via', layout.gateway);
  await outside('route', 'replace', layout.pods, 'via', layout.address);
}

async function forwardPackets(machine: Machine): Promise<void> {
  await mustRun(inNetworkOf(machine, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']));
}

/** What stays on the host when the machines are gone. */
export async function removeHostRoutes(layout: Layout): Promise<void> {
  await run(['ip', 'link', 'delete', layout.network.device]);
  await run(['ip', 'route', 'delete', 'unreachable', layout.network.block, 'metric', lastMetric]);
}

/** The destinations of the host's routes, as text such as `10.0.0.0/8`. */
export async function hostRoutes(): Promise<string[]> {
  const text = await mustRun(['ip', '-4', '-json', 'route', 'show', 'table', 'all']);
  const routes = JSON.parse(text) as { dst: string; type?: string }[];
  return routes.filter(({ dst }) => dst !== 'default').map(({ dst }) => dst);
}

/** Whether two ranges of addresses share one. */
export function overlaps(one: string, other: string): boolean {
  const [a, b] = [parseRange(one), parseRange(other)];
  return a.first <= b.last && b.first <= a.last;
}

function parseRange(range: string): { first: number; last: number } {
  const [address = '', length = '32'] = range.split('/');
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(number / size) * size;
  return { first, last: first + size - 1 };
}
