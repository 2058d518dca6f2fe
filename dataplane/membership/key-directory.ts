import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../common/clock.ts';
import { pemCharactersMax, verifyCertificate } from '../security/certificates.ts';
import type { NodeIdentity } from '../security/node-identity.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredCredentials } from './cluster-files.ts';
import { MessageRefusedError } from './errors.ts';
import { codec, text } from './messages.ts';

/**
 * Which key signs the datagrams of which node. A node certifies its Ed25519 key with the key of its
 * certificate; the statement may come from anybody and be verified by everybody. Guarded invariant: no key
 * is believed longer than the certificate that stands behind it.
 */
interface Statement {
  /** PEM. */
  readonly certificate: string;
  /** SPKI of the Ed25519 key, base64. */
  readonly gossipKey: string;
  /** By the key of the certificate, base64. */
  readonly signature: string;
}

const statementCodec = codec<Statement>('key statement', {
  certificate: text(pemCharactersMax),
  gossipKey: text(256),
  signature: text(256),
});

/** What is signed: nothing else that the key of a certificate signs begins like this. */
const signedBytes = ({ clusterId, nodeId }: NodeIdentity, gossipKey: string): Buffer =>
  Buffer.from(`photondb gossip key 1\n${clusterId}\n${nodeId}\n${gossipKey}\n`);

export interface SigningKey {
  readonly privateKey: KeyObject;
  /** SPKI, base64. */
  readonly spki: string;
}

/** The key that signs this node's datagrams: made once for a data directory. */
export function openSigningKey(files: ClusterFiles): SigningKey {
  const stored = readFile(files, 'gossip-key');
  const privateKey =
    stored === undefined
      ? generateKeyPairSync('ed25519').privateKey
      : createPrivateKey(stored.privateKey);
  if (stored === undefined) {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFile(files, 'gossip-key', { privateKey: pem });
  }
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { privateKey, spki: spki.toString('base64') };
}

/** As text, for requests and for the gossiped state of the node. */
export function statementOf(
  { privateKey, certificate, ...identity }: StoredCredentials,
  gossipKey: string,
): string {
  const signature = sign('sha256', signedBytes(identity, gossipKey), privateKey).toString('base64');
  const statement = { certificate, gossipKey, signature };
  return Buffer.from(statementCodec.encode(statement)).toString();
}

interface Known {
  readonly text: string;
  readonly certificate: string;
  readonly key: KeyObject;
  readonly notAfter: number;
}

export interface KeyDirectoryOptions {
  readonly clusterId: string;
  /** PEM; those that are trusted now. */
  readonly authorities: () => readonly string[];
  readonly clock: Pick<Clock, 'timeOfDay'>;
  readonly nodesMax: number;
}

export class KeyDirectory {
  readonly #options: KeyDirectoryOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: KeyDirectoryOptions) {
    this.#options = options;
  }

  /** Undefined for a node that has said nothing, or whose certificate has expired. */
  publicKeyOf(nodeId: string): KeyObject | undefined {
    const known = this.#known.get(nodeId);
    return known !== undefined && this.#options.clock.timeOfDay() <= known.notAfter
      ? known.key
      : undefined;
  }

  /** PEM: the certificate of a node, as it was verified. */
  certificateOf(nodeId: string): string | undefined {
    return this.#known.get(nodeId)?.certificate;
  }

  /** When the certificate of a node expires; milliseconds since 1970. */
  notAfterOf(nodeId: string): number | undefined {
    return this.#known.get(nodeId)?.notAfter;
  }

  has(nodeId: string, statement: string): boolean {
    return this.#known.get(nodeId)?.text === statement;
  }

  forget(nodeId: string): void {
    this.#known.delete(nodeId);
  }

  /** Verifies a statement, and answers whose it is. Throws with the reason. */
  async accept(statement: string): Promise<NodeIdentity> {
    const { clusterId, authorities, clock, nodesMax } = this.#options;
    const { certificate, gossipKey, signature } = statementCodec.decode(Buffer.from(statement));
    const { identity, notAfter } = await verifyCertificate(
      certificate,
      authorities(),
      clock.timeOfDay(),
    );
    const { nodeId } = identity;
    if (identity.clusterId !== clusterId) {
      throw new MessageRefusedError(
        `Node ${nodeId} is certified for cluster ${identity.clusterId}.`,
      );
    }
    const certified = createPublicKey(certificate);
    const isSigned = verify(
      'sha256',
      signedBytes(identity, gossipKey),
      certified,
      Buffer.from(signature, 'base64'),
    );
    const key = isSigned ? ed25519(gossipKey) : undefined;
    if (key === undefined) {
      throw new MessageRefusedError(
        `The gossip key of node ${nodeId} is not certified by its key.`,
      );
    }
    const known = this.#known.get(nodeId);
    // A statement of an earlier certificate may travel behind the present one.
    if (known !== undefined && known.notAfter > notAfter) return identity;
    if (known === undefined && this.#known.size >= nodesMax) {
      throw new MessageRefusedError(`The keys of ${nodesMax} nodes are known, which is the limit.`);
    }
    this.#known.set(nodeId, { text: statement, certificate, key, notAfter });
    return identity;
  }
}

function ed25519(spki: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
