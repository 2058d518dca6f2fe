import { orderSchema } from '../membership/orders.ts';
import { roles } from '../membership/peer-requests.ts';

/**
 * The requests of the admin API: one table for the server, which validates by it, and for the OpenAPI document
 * (docs/reference/admin-api.json). Paths begin with `/admin/v1`.
 */
export interface Route {
  readonly method: 'get' | 'post' | 'put';
  readonly path: string;
  readonly summary: string;
  /** JSON schema of the body; none when there is no body. */
  readonly request?: object;
  readonly response: object;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const time = { type: 'string', format: 'date-time' } as const;

const object = (
  properties: Readonly<Record<string, object>>,
  optional: readonly string[] = [],
) => ({
  type: 'object',
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
  additionalProperties: false,
});

const status = { enum: ['alive', 'suspect', 'quarantined', 'dead', 'left'] } as const;

const figure = { type: 'number', minimum: 0 } as const;
const load = object({
  queriesPerSecond: figure,
  latencyP99Ms: figure,
  memoryBytes: figure,
  diskFreeBytes: figure,
});

const memberFields = {
  id: text,
  name: text,
  address: text,
  status,
  reason: text,
  since: time,
  roles: { type: 'array', items: text },
  version: text,
  driver: text,
  admin: text,
  isSelf: flag,
  isConnected: flag,
  isAuthority: flag,
  isDraining: flag,
  /** Why it is quarantined. */
  causes: { type: 'array', items: text },
  /** Versions that it reads. */
  speaks: text,
  /** `ok`, or why it is not well; empty on a node without data. */
  storage: text,
  load,
};

const member = object(memberFields, ['load']);

const texts = { type: 'array', items: text } as const;
const authority = object({
  phase: { enum: ['Stable', 'Distributing', 'Renewing'] },
  signing: text,
  trusted: texts,
  waitingFor: texts,
});

/** Signed by the authority of the cluster, as `npm run admin` does. */
const order = { ...orderSchema, additionalProperties: false } as const;

export const routes = {
  members: {
    method: 'get',
    path: '/members',
    summary: 'The members of the cluster as this node sees them.',
    response: object({ clusterId: text, nodeId: text, members: { type: 'array', items: member } }),
  },
  needs: {
    method: 'get',
    path: '/needs',
    summary:
      'The members with data, and what has no majority without them: empty for one that the cluster can do without for good. Answered by the leader of the metadata, and refused by the others.',
    response: object({
      members: {
        type: 'array',
        items: object({
          id: text,
          name: text,
          status: member.properties['status'] ?? text,
          need: text,
        }),
      },
    }),
  },
  createJoinToken: {
    method: 'post',
    path: '/join-tokens',
    summary:
      'Makes a token that admits one node within ten minutes, with the roles that are named; with any when none are.',
    request: object({ roles: { type: 'array', items: { enum: roles }, uniqueItems: true } }, [
      'roles',
    ]),
    response: object({
      token: text,
      authorityHash: text,
      address: text,
      expiresInSeconds: { type: 'integer' },
    }),
  },
  orders: {
    method: 'get',
    path: '/orders',
    summary: 'The orders of administrators about nodes that this node knows.',
    response: object({ orders: { type: 'array', items: order } }),
  },
  giveOrder: {
    method: 'post',
    path: '/orders',
    summary:
      'Removes a node for good, quarantines it, or releases it. The order is signed by the authority of the cluster; the members pass it on and verify it.',
    request: order,
    response: object({ known: { type: 'integer' } }),
  },
  gossipKeys: {
    method: 'get',
    path: '/gossip-keys',
    summary: 'The identifiers of the gossip keys of this node; the first one encrypts.',
    response: object({ version: { type: 'integer' }, keys: { type: 'array', items: text } }),
  },
  rotateGossipKeys: {
    method: 'post',
    path: '/gossip-keys/rotate',
    summary: 'Replaces the gossip key on every member, in three steps without loss.',
    response: object({ version: { type: 'integer' }, keys: { type: 'array', items: text } }),
  },
  certificate: {
    method: 'get',
    path: '/certificate',
    summary: 'The certificate of this node.',
    response: object(
      { authorityHash: text, notBefore: time, notAfter: time, renewalFailure: text },
      ['renewalFailure'],
    ),
  },
  renewCertificate: {
    method: 'post',
    path: '/certificate/renew',
    summary: 'Renews the certificate of this node now.',
    response: object({ notAfter: time }),
  },
  authority: {
    method: 'get',
    path: '/authority',
    summary:
      'The authorities that the nodes trust, and how far a replacement is. Answered by the node that holds the authority.',
    response: authority,
  },
  rotateAuthority: {
    method: 'post',
    path: '/authority/rotate',
    summary:
      'Begins the replacement of the authority, which continues until its end: all nodes trust both authorities, get certificates of the new one, and drop the former one.',
    response: authority,
  },
  drain: {
    method: 'put',
    path: '/drain',
    summary:
      'Begins or ends the drain of this node: it is not ready, takes no new clients, hands its leadership over, and waits up to 10 s for running queries.',
    request: object({ isDraining: flag }),
    response: object({ isDraining: flag }),
  },
  drainState: {
    method: 'get',
    path: '/drain',
    summary:
      'How far the drain of this node is: queries that run, clients that are connected, groups of replicas that it leads.',
    response: object({
      phase: { enum: ['serving', 'draining', 'drained'] },
      running: { type: 'integer' },
      connections: { type: 'integer' },
      led: { type: 'integer' },
    }),
  },
} as const satisfies Readonly<Record<string, Route>>;

export type RouteName = keyof typeof routes;
export const basePath = '/admin/v1';

/** Of every refusal. */
export const errorSchema = object({ code: text, message: text });
