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
  /** Every node has the data; false: the first one alone. */
  readonly isReplicated: boolean;
  /** Of each node; `free`: the system chooses. */
  readonly ports: 'fixed' | 'free';
  readonly flags: readonly string[];
}

const nodesMax = 16;

export const clusterHelp = [
  'A local cluster of PhotonDB: npm run cluster -- --nodes N --data-dir DIR [--only NAME] [--OPTION VALUE]...',
  '',
  '  --nodes N          Nodes of the cluster: 1, 3 or 5. Each has the data. Default: 3. May grow, not shrink.',
  '  --data-dir DIR     Directory of their data directories. Default: data.',
  '  --only NAME        Starts one node of a cluster that runs or ran, such as node2.',
  '  --replicated=false The data is on node1 alone, and there may be 1 to 16 nodes. A cluster that was made so stays so.',
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
const replicatedOption = '--replicated';
const replicatedCounts = [1, 3, 5];

function givenOf(args: readonly string[]): Given {
  const own = new Map<string, string>();
  const flags: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    const [name = '', ...inline] = arg.split('=');
    if (name === replicatedOption) {
      own.set(name, inline[0] ?? 'true');
      continue;
    }
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

function replicatedOf(own: Given['own']): boolean {
  const given = own.get(replicatedOption) ?? 'true';
  if (given !== 'true' && given !== 'false') {
    throw new UsageError(`${replicatedOption} takes true or false, not "${given}".`);
  }
  return given === 'true';
}

function nodesOf(own: Given['own'], isReplicated: boolean): number {
  const nodes = Number(own.get('--nodes') ?? 3);
  if (!isReplicated) {
    if (Number.isInteger(nodes) && nodes >= 1 && nodes <= nodesMax) return nodes;
    throw new UsageError(`--nodes takes a whole number from 1 to ${nodesMax}.`);
  }
  if (replicatedCounts.includes(nodes)) return nodes;
  throw new UsageError(
    `--nodes takes 1, 3 or 5, not "${own.get('--nodes')}": a majority of an odd number of nodes continues when the others fail, and one node more would not change how many may fail.`,
  );
}

export function clusterOptionsOf(args: readonly string[]): ClusterOptions {
  const { own, flags } = givenOf(args);
  const isReplicated = replicatedOf(own);
  const nodes = nodesOf(own, isReplicated);
  const only = own.get('--only');
  const names = Array.from({ length: nodes }, (_, index) => nameOf(index));
  if (only !== undefined && !names.includes(only)) {
    throw new UsageError(`--only takes one of ${names.join(', ')}, not "${only}".`);
  }
  const ports = own.get('--ports') ?? 'fixed';
  if (ports !== 'fixed' && ports !== 'free') {
    throw new UsageError(`--ports takes fixed or free, not "${ports}".`);
  }
  const directory = own.get('--data-dir') ?? 'data';
  return { nodes, directory, only, isReplicated, ports, flags };
}

const quoted = (arg: string): string =>
  /^[\w./:=,@%+-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;

/** What starts the node `name` of this cluster again, for a shell. */
export function commandOf(options: ClusterOptions, name: string): string {
  const { nodes, directory, isReplicated, ports, flags } = options;
  const own = ['--nodes', String(nodes), '--data-dir', directory, '--only', name];
  if (!isReplicated) own.push(`${replicatedOption}=false`);
  if (ports !== 'fixed') own.push('--ports', ports);
  return ['npm run cluster --', ...[...own, ...flags].map(quoted)].join(' ');
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
