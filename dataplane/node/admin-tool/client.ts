import { existsSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { parseAddress } from '../../common/address.ts';
import type { HostPort } from '../../common/address.ts';
import { PhotonError } from '../../common/errors.ts';
import { Authority } from '../../membership/authority.ts';
import { createRequest, verifyCertificate } from '../../security/certificates.ts';
import { pemOf } from '../../net/join-exchange.ts';
import { TextFiles } from '../../storage/text-files.ts';
import { machineChance } from '../chance.ts';
import { machineClock } from '../clock.ts';
import type { TLSSocket } from 'node:tls';

/**
 * Asks a node through its admin API, as an administrator: whoever may read the data directory of the node that
 * founded the cluster has its authority, and makes a certificate for the one request.
 */
class AdminError extends PhotonError {
  readonly code = 'node.admin';
}

const certificateMs = 10 * 60_000;
const timeoutMs = 60_000;

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/** Times that a request is made again because the authority of the cluster was replaced meanwhile. */
const retriesMax = 3;

/** `address`: of the admin port; undefined for the node of the directory. */
export async function askAdmin(
  directory: string,
  address: string | undefined,
  asked: AdminRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const files = new TextFiles(join(directory, 'cluster'));
  for (let retries = 0; ; retries += 1) {
    const authority = authorityIn(files, directory);
    try {
      return await askAs(authority, addressOf(files, directory, address), asked);
    } catch (error) {
      const isReplaced = authorityIn(files, directory).trustVersion !== authority.trustVersion;
      if (!isReplaced || retries >= retriesMax) throw error;
    }
  }
}

async function askAs(
  authority: Authority,
  at: HostPort,
  asked: AdminRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const { privateKey, request: csr } = await createRequest();
  const certificate = await authority.issueAdmin('local', csr, certificateMs);
  // The node may have a certificate of the next authority already, or of the former one still.
  const tls = {
    key: privateKey,
    cert: certificate,
    ca: [...authority.trusted],
  };
  return send({ ...at, ...tls }, asked);
}

function authorityIn(files: TextFiles, directory: string): Authority {
  const stored = files.read('authority.json');
  if (stored === undefined) {
    throw new AdminError(
      existsSync(join(directory, 'IDENTITY'))
        ? `The node of ${directory} did not found its cluster, so it has no authority. Name the data directory of the node that did.`
        : `${directory} is no data directory of a node. Name one with --data-dir.`,
    );
  }
  const { clusterId } = JSON.parse(stored) as { readonly clusterId: string };
  const options = {
    files,
    clock: machineClock,
    chance: machineChance,
    certificateLifetimeMs: certificateMs,
  };
  return Authority.open(options, clusterId) as Authority;
}

interface NamedMember {
  /** Where its admin API listens. */
  readonly admin: string;
  readonly id: string;
  readonly name: string;
  readonly isSelf: boolean;
  readonly isAuthority: boolean;
}

export interface OrderWish {
  readonly type: 'remove' | 'quarantine' | 'release';
  /** A name, or a node ID. */
  readonly node: string;
  readonly reason: string;
}

async function memberNamed(
  directory: string,
  address: string | undefined,
  node: string,
): Promise<NamedMember> {
  const { members } = await askAdmin(directory, address, {
    method: 'GET',
    path: '/admin/v1/members',
  });
  const found = (members as readonly NamedMember[]).filter(
    ({ id, name }) => id === node || name === node,
  );
  const [member] = found;
  if (member === undefined) throw new AdminError(`No node is known as ${node}.`);
  if (found.length === 1) return member;
  const ids = found.map(({ id }) => id).join(', ');
  throw new AdminError(`Several nodes are known as ${node}. Give one of their IDs: ${ids}.`);
}

/** Asks the node of this name itself. */
export async function askNode(
  directory: string,
  address: string | undefined,
  node: string,
  asked: AdminRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const { admin } = await memberNamed(directory, address, node);
  if (admin !== '') return askAdmin(directory, admin, asked);
  throw new AdminError(`Where the admin API of node ${node} listens is not known. Give --address.`);
}

/** Signs an order about a node with the authority of the cluster, and gives it to a member; answers the node ID. */
export async function giveOrder(
  directory: string,
  address: string | undefined,
  { type, node, reason }: OrderWish,
): Promise<string> {
  const authority = authorityIn(new TextFiles(join(directory, 'cluster')), directory);
  const member = await memberNamed(directory, address, node);
  if (type === 'remove' && member.isAuthority) {
    throw new AdminError(
      `Node ${node} holds the authority of the cluster, which cannot do without it. It was not removed.`,
    );
  }
  if (type === 'remove' && member.isSelf) {
    throw new AdminError(
      `Node ${node} is the one that was asked. Ask another member with --address.`,
    );
  }
  const at = machineClock.timeOfDay();
  const body = authority.signOrder({ type, nodeId: member.id, at, reason });
  await askAdmin(directory, address, { method: 'POST', path: '/admin/v1/orders', body });
  return member.id;
}

function addressOf(files: TextFiles, directory: string, address: string | undefined): HostPort {
  const at = parseAddress(address ?? addressIn(files, directory));
  if (at !== undefined) return at;
  throw new AdminError(`"${address}" is no HOST:PORT.`);
}

function addressIn(files: TextFiles, directory: string): string {
  const text = files.read('admin.json');
  if (text !== undefined) return (JSON.parse(text) as { readonly address: string }).address;
  throw new AdminError(`The node of ${directory} has not served yet. Start it, or give --address.`);
}

interface Connection {
  readonly host: string;
  readonly port: number;
  readonly key: string;
  readonly cert: string;
  readonly ca: string[];
}

function send(
  connection: Connection,
  { method, path, body }: AdminRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  const fail = ({ message }: Error): void =>
    reject(new AdminError(`${connection.host}:${connection.port} cannot be asked: ${message}.`));
  const asked = request(
    {
      ...connection,
      method,
      path,
      agent: false,
      minVersion: 'TLSv1.3',
      timeout: timeoutMs,
      // The certificate names a node of the cluster, not an address.
      checkServerIdentity: () => undefined,
      headers: { 'content-type': 'application/json' },
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        if (response.statusCode === 200) resolve(answer);
        else reject(new AdminError(String(answer['message'])));
      });
    },
  );
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  asked.on('error', fail);
  asked.on('socket', (socket) => {
    socket.on('secureConnect', () => {
      const shown = pemOf((socket as TLSSocket).getPeerCertificate().raw);
      verifyCertificate(shown, connection.ca, machineClock.timeOfDay()).then(
        () => asked.end(body === undefined ? undefined : JSON.stringify(body)),
        (error: unknown) => asked.destroy(error as Error),
      );
    });
  });
  return promise;
}
