import { PhotonError } from '../../common/errors.ts';

/** What `npm run cluster` is called with; what it does not know goes on to each node. */
export class UsageError extends PhotonError {
  readonly code = 'node.usage';
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly directory: string;
  /** The one node to start; undefined for all. */
  readonly only: string | undefined;
  /** Of each node; `free`: the system chooses. */
  readonly ports: 'fixed' | 'free';
  readonly flags: readonly string[];
}

const nodesMax = 16;

export const clusterHelp = [
  'A local cluster of PhotonDB: npm run cluster -- --nodes N --data-dir DIR [--only NAME] [--OPTION VALUE]...',
  '',
  '  --nodes N          Nodes of the cluster, 1 to 16. The first one, node1, has the data. Default: 3.',
  '  --data-dir DIR     Directory of their data directories. Default: data.',
  '  --only NAME        Starts one node of a cluster that runs or ran, such as node2.',
  '  --ports fixed|free Numbers that follow from the defaults, or free ones. Default: fixed.',
  '',
  'Other options are those of a node (npm run serve -- --help), and apply to each of them.',
  'A node that ends stays ended; --only starts it again. Ctrl-C stops all of them.',
].join('\n');

export const nameOf = (index: number): string => `node${index + 1}`;

interface Given {
  readonly own: ReadonlyMap<string, string>;
  /** What goes on to each node. */
  readonly flags: readonly string[];
}

const ownOptions = new Set(['--nodes', '--data-dir', '--only', '--ports']);

function givenOf(args: readonly string[]): Given {
  const own = new Map<string, string>();
  const flags: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    const [name = '', ...inline] = arg.split('=');
    if (!ownOptions.has(name)) {
      flags.push(arg);
      continue;
    }
    const value = inline.length > 0 ? inline.join('=') : args[(at += 1)];
    if (value === undefined) throw new UsageError(`The option "${name}" needs a value.`);
    own.set(name, value);
  }
  return { own, flags };
}

export function clusterOptionsOf(args: readonly string[]): ClusterOptions {
  const { own, flags } = givenOf(args);
  const nodes = Number(own.get('--nodes') ?? 3);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax) {
    throw new UsageError(`--nodes takes a whole number from 1 to ${nodesMax}.`);
  }
  const only = own.get('--only');
  const names = Array.from({ length: nodes }, (_, index) => nameOf(index));
  if (only !== undefined && !names.includes(only)) {
    throw new UsageError(`--only takes one of ${names.join(', ')}, not "${only}".`);
  }
  const ports = own.get('--ports') ?? 'fixed';
  if (ports !== 'fixed' && ports !== 'free') {
    throw new UsageError(`--ports takes fixed or free, not "${ports}".`);
  }
  return { nodes, directory: own.get('--data-dir') ?? 'data', only, ports, flags };
}

/** Each node has numbers of its own, near the defaults. */
export function portFlags(index: number, ports: ClusterOptions['ports']): readonly string[] {
  const numbers = {
    driver: 28_015 + index,
    cluster: 29_015 + index,
    http: 8_080 + 2 * index,
    web: 8_081 + 2 * index,
    admin: 8_443 + index,
  };
  return Object.entries(numbers).flatMap(([name, number]) => [
    `--${name}-port`,
    ports === 'free' ? '0' : String(number),
  ]);
}
