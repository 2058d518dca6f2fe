/**
 * How an authority is replaced without a node that loses sight of another: every node trusts the new
 * one before it signs, and every certificate is of the new one before the former is trusted no more.
 * Pure.
 */

/** The authorities by their hash. */
export interface RotationState {
  readonly signing: string;
  readonly next?: string;
  readonly former: readonly string[];
  /** The wish that was carried out last. */
  readonly rotation?: string;
}

/** What a node reports; one that has never had a certificate takes the trust that it finds. */
export interface RotationNode {
  readonly name: string;
  readonly trusts: readonly string[];
  /** The authority of its certificate. */
  readonly certificateOf?: string;
}

export type RotationPhase = 'Stable' | 'Distributing' | 'Renewing';

export type RotationStep =
  | { readonly type: 'settled' }
  /** Make an authority that nodes are to trust. */
  | { readonly type: 'begin'; readonly rotation: string }
  /** The next authority signs from now on. */
  | { readonly type: 'switch' }
  /** Nothing rests on the former ones any more. */
  | { readonly type: 'retire' }
  | { readonly type: 'wait'; readonly message: string };

/** Names in a message. */
const namedMax = 5;

/** The length that the schema allows. */
const wishLengthMax = 64;

function named(nodes: readonly RotationNode[]): string {
  const names = nodes.slice(0, namedMax).map(({ name }) => name);
  const more = nodes.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export function phaseOf({ next, former }: RotationState): RotationPhase {
  if (next !== undefined) return 'Distributing';
  return former.length > 0 ? 'Renewing' : 'Stable';
}

export function decideRotation(
  state: RotationState,
  wish: string | undefined,
  nodes: readonly RotationNode[],
): RotationStep {
  const holders = nodes.filter(({ certificateOf }) => certificateOf !== undefined);
  const { next } = state;
  if (next !== undefined) {
    const lacking = holders.filter(({ trusts }) => !trusts.includes(next));
    if (lacking.length === 0) return { type: 'switch' };
    const message = `the next certificate authority signs when every node trusts it; not yet: ${named(lacking)}`;
    return { type: 'wait', message };
  }
  if (state.former.length > 0) {
    const lacking = holders.filter(({ certificateOf }) => certificateOf !== state.signing);
    if (lacking.length === 0) return { type: 'retire' };
    const message = `the former certificate authority is trusted until every node has a certificate of the new one; not yet: ${named(lacking)}`;
    return { type: 'wait', message };
  }
  const isWish = wish !== undefined && wish !== '' && wish.length <= wishLengthMax;
  return isWish && wish !== state.rotation
    ? { type: 'begin', rotation: wish }
    : { type: 'settled' };
}
