import { PhotonError } from '../../common/errors.ts';
import { machineClock } from '../clock.ts';
import { exitCode } from '../exit-code.ts';
import { askAdmin, askNode, giveOrder } from './client.ts';
import type { AdminRequest, OrderWish } from './client.ts';

/** `npm run admin -- COMMAND`: the admin API of a node, for people. */
interface Command {
  readonly doc: string;
  readonly request: AdminRequest;
  /** Lines for people. */
  show(answer: Answer): readonly string[];
  /** Waits for the end of what was begun, by further requests to the same node; the answer is shown. */
  follow?(ask: (request: AdminRequest) => Promise<Answer>): Promise<Answer>;
}

type Answer = Readonly<Record<string, unknown>>;

interface ShownMember {
  readonly name: string;
  readonly id: string;
  readonly status: string;
  readonly reason: string;
  readonly roles: readonly string[];
  readonly address: string;
  readonly isSelf: boolean;
}

const json = (answer: object): readonly string[] => [JSON.stringify(answer, undefined, 2)];

const lookEveryMs = 250;
/** A node drains for 10 s at most; one that is loaded answers late. */
const looksMax = 240;

async function followDrain(ask: (request: AdminRequest) => Promise<Answer>): Promise<Answer> {
  for (let look = 0; look < looksMax; look += 1) {
    const state = await ask({ method: 'GET', path: '/admin/v1/drain' });
    if (state['phase'] === 'drained') return state;
    if (state['phase'] === 'serving') throw new DrainError('The drain was ended meanwhile.');
    await machineClock.sleep(lookEveryMs, new AbortController().signal);
  }
  throw new DrainError('The node drains still. Ask again later, or look at its log.');
}

/** Three steps of the nodes, each of which takes a second or so; a node that is down delays them. */
async function followReplacement(ask: (request: AdminRequest) => Promise<Answer>): Promise<Answer> {
  for (let look = 0; ; look += 1) {
    const state = await ask({ method: 'GET', path: '/admin/v1/authority' });
    if (state['phase'] === 'Stable') return state;
    if (look === looksMax) {
      const names = (state['waitingFor'] as readonly string[]).join(', ');
      throw new ReplacementError(
        `The replacement of the authority waits for ${names || 'the nodes'}. It continues when they are ready: start them, or remove those that are gone for good (npm run admin -- remove NODE). "npm run admin -- authority" shows how far it is.`,
      );
    }
    await machineClock.sleep(lookEveryMs, new AbortController().signal);
  }
}

const commands: Readonly<Record<string, Command>> = {
  members: {
    doc: 'The members of the cluster as the node sees them.',
    request: { method: 'GET', path: '/admin/v1/members' },
    show: ({ members }) =>
      (members as readonly ShownMember[]).map(({ name, status, roles, id, address, ...more }) => {
        const why = more.isSelf ? 'this node' : more.reason;
        return `${name}\t${status}\t${roles.join(',')}\t${address}\t${id}\t${why}`;
      }),
  },
  token: {
    doc: 'Makes a join token, and prints the options that a new node needs.',
    request: { method: 'POST', path: '/admin/v1/join-tokens' },
    show: ({ token, authorityHash, address }) => [
      `--join ${String(address)} --join-token ${String(token)} --join-ca-hash ${String(authorityHash)}`,
    ],
  },
  keys: {
    doc: 'The identifiers of the gossip keys; the first one encrypts.',
    request: { method: 'GET', path: '/admin/v1/gossip-keys' },
    show: json,
  },
  'rotate-keys': {
    doc: 'Replaces the gossip key on every member.',
    request: { method: 'POST', path: '/admin/v1/gossip-keys/rotate' },
    show: json,
  },
  certificate: {
    doc: 'The certificate of the node.',
    request: { method: 'GET', path: '/admin/v1/certificate' },
    show: json,
  },
  'renew-certificate': {
    doc: 'Renews the certificate of the node now.',
    request: { method: 'POST', path: '/admin/v1/certificate/renew' },
    show: json,
  },
  authority: {
    doc: 'The authorities that the nodes trust, and how far the replacement of one is.',
    request: { method: 'GET', path: '/admin/v1/authority' },
    show: json,
  },
  'rotate-authority': {
    doc: 'Replaces the authority of the cluster, and waits for the end.',
    request: { method: 'POST', path: '/admin/v1/authority/rotate' },
    show: json,
    follow: followReplacement,
  },
  drain: {
    doc: 'Drains the node, or the one that is named behind, and waits for the end: no new clients, no leadership.',
    request: { method: 'PUT', path: '/admin/v1/drain', body: { isDraining: true } },
    show: json,
    follow: followDrain,
  },
  undrain: {
    doc: 'Ends the drain of the node, or of the one that is named behind.',
    request: { method: 'PUT', path: '/admin/v1/drain', body: { isDraining: false } },
    show: json,
  },
};

/** Commands that may be followed by the name of the node that is asked. */
const forOneNode = new Set(['drain', 'undrain', 'certificate', 'renew-certificate']);

/** About one node, named behind the command. */
const orders: Readonly<Record<OrderWish['type'], string>> = {
  remove: 'Removes a node that is gone for good: its certificate is revoked. It never comes back.',
  quarantine: 'Quarantines a node: it keeps its data, and serves no clients.',
  release: 'Ends the quarantine of a node.',
};

const help = [
  'Asks a node of PhotonDB: npm run admin -- COMMAND [NODE] --data-dir DIR [--address HOST:PORT]',
  '',
  '  --data-dir DIR       of the node that founded the cluster; it holds the authority. Default: data.',
  '  --address HOST:PORT  of the admin port of another node.',
  '  --reason TEXT        why, for orders about a node.',
  '  --roles LIST         of the node that a token admits, such as coordinator,consensus. Default: any.',
  '',
  ...Object.entries(commands).map(([name, { doc }]) => `  ${name.padEnd(18)} ${doc}`),
  ...Object.entries(orders).map(([name, doc]) => `  ${`${name} NODE`.padEnd(18)} ${doc}`),
].join('\n');

class ReplacementError extends PhotonError {
  readonly code = 'node.authority';
}

class DrainError extends PhotonError {
  readonly code = 'node.drain';
}

/** Ends with 2: it is called in a wrong way. */
class UsageError extends PhotonError {
  readonly code = 'node.usage';
}

function optionsOf(args: readonly string[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [name = '', value] = args.slice(at, at + 2);
    if (!['--data-dir', '--address', '--reason', '--roles'].includes(name) || value === undefined) {
      throw new UsageError(`Unexpected argument "${name}".\n\n${help}`);
    }
    given.set(name, value);
  }
  return given;
}

async function give(type: OrderWish['type'], args: readonly string[]): Promise<void> {
  const [node, ...others] = args;
  if (node === undefined || node.startsWith('--')) {
    throw new UsageError(`"${type}" is followed by the name or the ID of a node.\n\n${help}`);
  }
  const options = optionsOf(others);
  const reason = options.get('--reason') ?? 'no reason was given';
  const directory = options.get('--data-dir') ?? 'data';
  const id = await giveOrder(directory, options.get('--address'), { type, node, reason });
  process.stdout.write(`${type} ${node} (${id}): the members pass it on\n`);
}

/** Roles bind a token, and nothing else. */
function requestOf(name: string, request: AdminRequest, listed: string | undefined): AdminRequest {
  if (listed === undefined) return request;
  if (name !== 'token') throw new UsageError(`"${name}" takes no --roles.\n\n${help}`);
  return { ...request, body: { roles: listed.split(',') } };
}

async function main([name = '--help', ...args]: readonly string[]): Promise<void> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(`${help}\n`);
    return;
  }
  if (Object.hasOwn(orders, name)) return give(name as OrderWish['type'], args);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageError(`Unknown command "${name}".\n\n${help}`);
  const [first] = args;
  const node = first === undefined || first.startsWith('--') ? undefined : first;
  if (node !== undefined && !forOneNode.has(name)) {
    throw new UsageError(`"${name}" is about no node.\n\n${help}`);
  }
  const options = optionsOf(node === undefined ? args : args.slice(1));
  const directory = options.get('--data-dir') ?? 'data';
  const address = options.get('--address');
  const ask = (request: AdminRequest): Promise<Answer> =>
    node === undefined
      ? askAdmin(directory, address, request)
      : askNode(directory, address, node, request);
  const begun = await ask(requestOf(name, command.request, options.get('--roles')));
  const answer = command.follow === undefined ? begun : await command.follow(ask);
  process.stdout.write(`${command.show(answer).join('\n')}\n`);
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  const { message, stack } = error as Error;
  const text = error instanceof PhotonError ? message : String(stack);
  const code = error instanceof UsageError ? exitCode.configuration : exitCode.failed;
  process.stderr.write(`${text}\n`, () => process.exit(code));
});
