import { Ajv } from 'ajv';
import { FormationError } from './errors.ts';
import type { SignedOrder } from './orders.ts';

/** The small files of a cluster in a node's data directory; whole or absent after a crash. */
export interface ClusterFiles {
  read(name: string): string | undefined;
  write(name: string, text: string): void;
  remove(name: string): void;
}

/** What proves the node to its peers. One file, so that key and certificate always match. */
export interface StoredCredentials {
  readonly clusterId: string;
  readonly nodeId: string;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  readonly certificate: string;
  /** PEM, the one that signs first. */
  readonly authorities: readonly string[];
  /** Of `authorities`; absent as long as the first authority was not replaced. */
  readonly trustVersion?: number;
}

interface StoredPair {
  readonly privateKey: string;
  readonly certificate: string;
}

/** The authority of the cluster, on the node that founded it. */
export interface StoredAuthority extends StoredPair {
  readonly clusterId: string;
  /** Signs when every node trusts it. */
  readonly next?: StoredPair;
  /** Certificates of those that do not sign any more, and are trusted until no certificate rests on them. */
  readonly former?: readonly string[];
  /** Of what the nodes are to trust; raised by each step of a replacement. */
  readonly trustVersion?: number;
  /** When the newest certificate of each node ID expires; milliseconds since 1970. */
  readonly validUntil?: Readonly<Record<string, number>>;
  /** Hashes of the public keys that were certified last for each node ID. */
  readonly issued: Readonly<Record<string, readonly string[]>>;
  /** Of each node ID, since certificates name roles. */
  readonly roles?: Readonly<Record<string, readonly string[]>>;
  /** Of each node ID that was given up, the one that its node has since. */
  readonly successors?: Readonly<Record<string, string>>;
}

/** Where other nodes were reached last. */
interface StoredPeers {
  readonly peers: readonly { readonly id: string; readonly address: string }[];
}

/** The keys of gossip. */
export interface StoredRing {
  readonly version: number;
  /** Hexadecimal; the first one encrypts. */
  readonly keys: readonly string[];
}

/** Numbers that each start of the node begins above. */
interface StoredStart {
  readonly incarnation: number;
  readonly sequence: number;
}

/** A key of its own for signatures of gossip: PKCS #8, PEM. */
interface StoredGossipKey {
  readonly privateKey: string;
}

/** Orders of administrators that the node knows; they were verified before they were stored. */
interface StoredOrders {
  readonly orders: readonly SignedOrder[];
}

/** The node has quarantined itself. */
export interface StoredQuarantine {
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** By an administrator, who knows of this damage. */
  readonly isReleased: boolean;
}

/** Of a node that replicates its data with others. */
interface StoredReplication {
  /** It was the first member of the metadata's group. */
  readonly isFounder: boolean;
}

/** The node ID was given up, because the node lost what it had acknowledged under it. */
export interface StoredReplacement {
  /** The one that was given up. */
  readonly nodeId: string;
  /** For people. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The node ID that it asks for; absent in a pod, where the operator gives places. */
  readonly successor?: string;
  /** What the node continues with; absent as long as it was not granted, and in a pod, where it starts again with an empty directory. */
  readonly next?: StoredCredentials;
}

interface Files {
  readonly replacement: StoredReplacement;
  readonly replication: StoredReplication;
  readonly credentials: StoredCredentials;
  readonly authority: StoredAuthority;
  readonly peers: StoredPeers;
  readonly ring: StoredRing;
  readonly start: StoredStart;
  readonly 'gossip-key': StoredGossipKey;
  readonly orders: StoredOrders;
  readonly quarantine: StoredQuarantine;
}

const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const count = { type: 'integer', minimum: 0 } as const;

const credentialFields = {
  clusterId: text,
  nodeId: text,
  privateKey: text,
  certificate: text,
  authorities: { ...texts, minItems: 1 },
} as const;

const fields: Readonly<Record<keyof Files, Readonly<Record<string, object>>>> = {
  credentials: credentialFields,
  authority: {
    clusterId: text,
    privateKey: text,
    certificate: text,
    issued: { type: 'object', additionalProperties: texts },
  },
  peers: {
    peers: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'address'],
        properties: { id: text, address: text },
      },
    },
  },
  ring: { version: count, keys: { ...texts, minItems: 1 } },
  start: { incarnation: count, sequence: count },
  'gossip-key': { privateKey: text },
  orders: {
    orders: {
      type: 'array',
      items: {
        type: 'object',
        required: ['type', 'clusterId', 'nodeId', 'at', 'reason', 'signature'],
        properties: {
          type: { enum: ['remove', 'quarantine', 'release'] },
          clusterId: text,
          nodeId: text,
          at: count,
          reason: text,
          signature: text,
        },
      },
    },
  },
  quarantine: { detail: text, since: count, isReleased: { type: 'boolean' } },
  replication: { isFounder: { type: 'boolean' } },
  replacement: { nodeId: text, reason: text, at: count },
};

/** Fields that files of earlier releases lack. */
const optional: Readonly<Partial<Record<keyof Files, Readonly<Record<string, object>>>>> = {
  authority: {
    roles: { type: 'object', additionalProperties: texts },
    next: {
      type: 'object',
      required: ['privateKey', 'certificate'],
      properties: { privateKey: text, certificate: text },
    },
    former: texts,
    trustVersion: count,
    validUntil: { type: 'object', additionalProperties: { type: 'number' } },
    successors: { type: 'object', additionalProperties: text },
  },
  replacement: {
    successor: text,
    next: {
      type: 'object',
      required: Object.keys(credentialFields),
      properties: credentialFields,
    },
  },
  credentials: { trustVersion: count },
};

/** Of each file. */
const format = 1;
const ajv = new Ajv();
const validators = new Map(
  Object.entries(fields).map(([name, properties]) => [
    name,
    ajv.compile({
      type: 'object',
      required: ['format', ...Object.keys(properties)],
      properties: { ...properties, ...optional[name as keyof Files], format: { const: format } },
    }),
  ]),
);

const fileOf = (name: keyof Files): string => `${name}.json`;

/** Undefined when the file is not there. Throws a FormationError when it cannot be read. */
export function readFile<Name extends keyof Files>(
  files: ClusterFiles,
  name: Name,
): Files[Name] | undefined {
  const stored = files.read(fileOf(name));
  if (stored === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(stored);
  } catch {
    // Refused below.
  }
  if (validators.get(name)?.(content) === true) return content as unknown as Files[Name];
  throw new FormationError(
    `The file cluster/${fileOf(name)} of the data directory is damaged, or of a newer release. Restore it from a backup.`,
  );
}

export function writeFile<Name extends keyof Files>(
  files: ClusterFiles,
  name: Name,
  content: Files[Name],
): void {
  files.write(fileOf(name), `${JSON.stringify({ format, ...content })}\n`);
}

/** Whether a write failed for want of room: the file is as it was. */
export function isDiskFull(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'ENOSPC' || cause?.code === 'EDQUOT';
}
