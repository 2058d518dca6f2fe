import { mustRun, run, words } from '../host/run.ts';
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

export async function connectControlPlane(layout: Layout, control: Machine): Promise<void> {
  const { network } = layout;
  await run(words`ip link delete ${network.device}`); // Of a killed start; usually not there.
  const device = words`type veth peer name eth0 netns ${control.pid}`;
  await mustRun(words`ip link add ${network.device} ${device}`);
  await mustRun(words`ip address add ${network.host}${linkMask} dev ${network.device}`);
  await mustRun(words`ip link set ${network.device} up`);
  await configureInside(control, layout.api);
  // Lets the API server connect to services (webhooks): kube-proxy rewrites the address before it leaves.
  const toServices = words`ip route add ${network.services} dev lo src ${layout.api}`;
  await mustRun(inNetworkOf(control, toServices));
  await mustRun(words`ip route replace unreachable ${network.block} metric ${lastMetric}`);
  await mustRun(words`ip route replace ${network.block} via ${layout.api} dev ${network.device}`);
}

export async function connectNode(
  control: Machine,
  node: Machine,
  layout: NodeLayout,
): Promise<void> {
  const outside = (command: readonly string[]): string[] => inNetworkOf(control, command);
  await run(outside(words`ip link delete ${layout.name}`));
  const device = words`type veth peer name eth0 netns ${node.pid}`;
  await mustRun(outside(words`ip link add ${layout.name} ${device}`));
  await mustRun(outside(words`ip address add ${layout.gateway}${linkMask} dev ${layout.name}`));
  await mustRun(outside(words`ip link set ${layout.name} up`));
  await configureInside(node, layout.address);
  await mustRun(inNetworkOf(node, words`ip route add default via ${layout.gateway}`));
  await mustRun(outside(words`ip route replace ${layout.pods} via ${layout.address}`));
}

/** The machine's end of its link. */
async function configureInside(machine: Machine, address: string): Promise<void> {
  await mustRun(inNetworkOf(machine, words`ip link set lo up`));
  await mustRun(inNetworkOf(machine, words`ip address add ${address}${linkMask} dev eth0`));
  await mustRun(inNetworkOf(machine, words`ip link set eth0 up`));
  const forward = ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'];
  await mustRun(inNetworkOf(machine, forward));
}

/** What stays on the host when the machines are gone. */
export async function removeHostRoutes(layout: Layout): Promise<void> {
  await run(words`ip link delete ${layout.network.device}`);
  await run(words`ip route delete unreachable ${layout.network.block} metric ${lastMetric}`);
}

/** The destinations of the host's routes, as text such as `10.0.0.0/8`. */
export async function hostRoutes(): Promise<string[]> {
  const text = await mustRun(words`ip -4 -json route show table all`);
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
