/**
 * Whether a node that lost its volume begins again as a new member, without a leave. Guarded invariant: nothing
 * is given up that was acknowledged. The leader of the metadata says that each group of replicas has a leader and a
 * majority without the former node, and most of the other nodes see it gone. Pure.
 */

/** What the leader of the metadata says of a member with data. */
export interface Need {
  readonly id: string;
  readonly status: string;
  /** What has no majority without it; empty when there is nothing. */
  readonly need: string;
}

export interface Witnesses {
  /** How many other nodes the cluster has, but for those that have lost their volume, too. */
  readonly others: number;
  /** How those that answered see the former node; undefined when they do not know it. */
  readonly seen: readonly (string | undefined)[];
  /** Of all members with data; or why nobody answers that. */
  readonly needs: readonly Need[] | { readonly failure: string };
}

export type Replacement =
  | { readonly type: 'replace' }
  /** The others do not see it gone yet. */
  | { readonly type: 'wait'; readonly message: string }
  /** Its data is needed, or nobody knows. */
  | { readonly type: 'refuse'; readonly message: string };

const isGone = (status: string | undefined): boolean =>
  status === undefined || status === 'dead' || status === 'left';

export function replacementOf(lost: string, { others, seen, needs }: Witnesses): Replacement {
  if (others === 0) return { type: 'refuse', message: 'no other node has its data' };
  if ('failure' in needs) {
    const message = `it is not known whether the other nodes have its data: ${needs.failure}; when most nodes with data are lost, see docs/operations/troubleshooting.md`;
    return { type: 'refuse', message };
  }
  // One that the metadata does not know has no replica.
  const member = needs.find(({ id }) => id === lost);
  const gone = seen.filter(isGone).length;
  if (gone * 2 <= others || (member !== undefined && !isGone(member.status))) {
    return { type: 'wait', message: `${gone} of ${others} other nodes see it gone` };
  }
  if (member === undefined || member.need === '') return { type: 'replace' };
  return { type: 'refuse', message: `the other nodes cannot do without it: ${member.need}` };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** From the answer of the admin API of a node; undefined when it is not as it should be: it decides over data. */
export function needsFrom(answer: unknown): readonly Need[] | undefined {
  const list = isRecord(answer) ? answer['members'] : undefined;
  if (!Array.isArray(list)) return undefined;
  const needs = list.flatMap((each: unknown) => {
    if (!isRecord(each)) return [];
    const { id, status, need } = each;
    const isWhole =
      typeof id === 'string' && typeof status === 'string' && typeof need === 'string';
    return isWhole ? [{ id, status, need }] : [];
  });
  return needs.length === list.length ? needs : undefined;
}
