import { formatAddress, parseAddress } from '../common/address.ts';
import type { HostPort } from '../common/address.ts';
import { backoffMs } from '../common/backoff.ts';
import { noBytes } from '../common/bytes.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { PeerError } from '../net/errors.ts';
import type { exchangeJoin } from '../net/join-exchange.ts';
import { authorityHash, createRequest, pemCharactersMax } from '../security/certificates.ts';
import { verifyCertificate } from '../security/certificates.ts';
import { CertificateRefusedError } from '../security/errors.ts';
import type { NodeIdentity } from '../security/node-identity.ts';
import type { Admission, JoinRequest } from './authority.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { FormationError, JoinRefusedError } from './errors.ts';
import { codec, list, text, uuid } from './messages.ts';
import { authoritiesMax, trustVersion } from './trust.ts';
import { roles } from './peer-requests.ts';
import type { Role } from './peer-requests.ts';

/**
 * How a node without a certificate gets one with a join token. Guarded invariants: the private key never
 * leaves the node; the token is sent to nobody but a node of the cluster whose authority was pinned.
 */
export const joinMessage = codec<JoinRequest>('join', {
  token: text(64),
  nodeId: uuid,
  name: text(253),
  roles: { ...list({ enum: roles }, roles.length), minItems: 1 },
  request: text(pemCharactersMax),
});

export const admissionMessage = codec<Admission>(
  'admission',
  {
    clusterId: uuid,
    certificate: text(pemCharactersMax),
    authorities: list(text(pemCharactersMax), authoritiesMax),
    trustVersion,
  },
  ['trustVersion'],
);

export interface JoinOptions {
  /** Tried in turn. */
  readonly addresses: readonly string[];
  readonly token: string;
  /** `sha256:...` of the authority's public key. */
  readonly authorityHash: string;
  readonly nodeId: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** Of a node that joins once more under its IDs: the key that the cluster knows it by. */
  readonly privateKey: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'sleep' | 'timeOfDay'>;
  readonly chance: Pick<Chance, 'next'>;
  readonly exchange: typeof exchangeJoin;
  /** Nobody could be reached yet. */
  waiting(reason: Error): void;
  readonly signal: AbortSignal;
}

const retry = { initialMs: 250, maximumMs: 5_000 } as const;

/** Waits until a node of the cluster can be reached. Throws when it refuses, or is not of that cluster. */
export async function joinCluster(options: JoinOptions): Promise<StoredCredentials> {
  const { addresses, token, nodeId, name, clock, signal } = options;
  const targets = addresses.map(addressOf);
  const { privateKey, request } = await createRequest(
    options.privateKey === undefined ? {} : { privateKey: options.privateKey },
  );
  const message = joinMessage.encode({ token, nodeId, name, roles: options.roles, request });
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    const target = targets[attempt % targets.length] as HostPort;
    try {
      const admission = await askOne(options, target, message);
      return { ...admission, nodeId, privateKey };
    } catch (error) {
      if (isFinal(error)) throw error;
      options.waiting(error as Error);
    }
    const round = Math.floor(attempt / targets.length);
    await clock.sleep(backoffMs(retry, round, options.chance.next()), signal);
  }
}

const isFinal = (error: unknown): boolean =>
  error instanceof JoinRefusedError || error instanceof CertificateRefusedError;

function addressOf(address: string): HostPort {
  const parsed = parseAddress(address);
  if (parsed !== undefined) return parsed;
  throw new FormationError(`--join takes HOST:PORT, not "${address}".`);
}

async function askOne(
  options: JoinOptions,
  { host, port }: HostPort,
  payload: Uint8Array,
): Promise<Admission> {
  const { exchange, timeoutMs, clock, nodeId } = options;
  const at = formatAddress({ host, port });
  let contact: NodeIdentity | undefined;
  const verify = async (certificates: readonly string[]): Promise<void> => {
    contact = await pinned(certificates, options, at);
  };
  let answer: Uint8Array;
  try {
    answer = await exchange({ host, port, timeoutMs, payload, verify });
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    throw new JoinRefusedError(`The node at ${at} refused this node: ${error.message}`, {
      cause: error,
    });
  }
  const admission = admissionMessage.decode(answer);
  const { identity } = await verifyCertificate(
    admission.certificate,
    admission.authorities,
    clock.timeOfDay(),
  );
  const isOwn = identity.nodeId === nodeId && identity.clusterId === contact?.clusterId;
  if (isOwn && admission.clusterId === identity.clusterId) return admission;
  throw new JoinRefusedError(`The node at ${at} answered with a certificate of another node.`);
}

/** The node that shows these certificates, when its authority is the one whose hash was given. */
async function pinned(
  [own = '', ...others]: readonly string[],
  { authorityHash: hash, clock }: JoinOptions,
  at: string,
): Promise<NodeIdentity> {
  const authority = others.find((each) => authorityHash(each) === hash);
  if (authority === undefined) {
    const shown = others.map(authorityHash).join(', ') || 'none';
    throw new JoinRefusedError(
      `The node at ${at} belongs to another cluster: the hash of its authority is ${shown}, and --join-ca-hash is ${hash}. The token was not sent.`,
    );
  }
  const { identity } = await verifyCertificate(own, [authority], clock.timeOfDay());
  return identity;
}

interface Knock {
  readonly addresses: readonly string[];
  readonly reason: string;
  readonly timeoutMs: number;
  readonly exchange: typeof exchangeJoin;
}

/** Says at the first address why this node does not ask to join, for the log there. It need not succeed. */
export async function sayWhyNot({ addresses, reason, timeoutMs, exchange }: Knock): Promise<void> {
  const target = parseAddress(addresses[0] ?? '');
  if (target === undefined) return;
  const verify = (): Promise<never> => Promise.reject(new JoinRefusedError(reason));
  await exchange({ ...target, timeoutMs, payload: noBytes, verify }).catch(() => undefined);
}
