import type { StoredRing } from './cluster-files.ts';
import { RotationError } from './errors.ts';
import type { Chance } from '../common/chance.ts';
import type { MemberView } from './member-view.ts';
import type { Mesh } from './mesh.ts';
import { digestOf, ringCodec } from './ring-keeper.ts';
import type { RingKeeper } from './ring-keeper.ts';

/**
 * Replaces the gossip key without loss: a new key is installed, used, and the former ones are removed, and
 * each step reaches every member before the next one begins. Guarded invariant: no step is skipped for a
 * member that does not answer; the rotation stops, and what was done is no harm.
 */
interface RotationOptions {
  /** Members that must have each step: those that are not dead and have not left. */
  readonly members: () => readonly { readonly id: string; readonly name: string }[];
  /** This node's ring after a step; it is installed here first. */
  readonly steps: readonly (() => StoredRing)[];
  readonly adopt: (ring: StoredRing) => void;
  /** Resolves with the digest of the ring that the member has then. */
  readonly write: (id: string, ring: StoredRing) => Promise<string>;
}

interface RotatingNode {
  readonly chance: Pick<Chance, 'bytes'>;
  readonly mesh: Pick<Mesh, 'request'>;
  readonly members: () => readonly MemberView[];
  readonly adopt: (ring: StoredRing) => void;
}

/** All steps, from the ring that the node has. */
export const rotateKeys = (
  keeper: RingKeeper,
  { chance, mesh, members, adopt }: RotatingNode,
): Promise<void> =>
  rotateRing({
    members: () =>
      members().filter(({ isSelf, status }) => !isSelf && status !== 'dead' && status !== 'left'),
    steps: [
      () => keeper.withNewKey(chance),
      () => keeper.withNewestFirst(),
      () => keeper.withFirstOnly(),
    ],
    adopt,
    write: async (id, ring) =>
      Buffer.from(await mesh.request(id, 'writeRing', ringCodec.encode(ring))).toString(),
  });

export async function rotateRing({ members, steps, adopt, write }: RotationOptions): Promise<void> {
  for (const step of steps) {
    const ring = step();
    adopt(ring);
    const wanted = digestOf(ring);
    const missing: string[] = [];
    await Promise.all(
      members().map(async ({ id, name }) => {
        try {
          const digest = await write(id, ring);
          if (digest !== wanted) missing.push(`${name} (has another ring: ${digest})`);
        } catch (error) {
          missing.push(`${name} (${(error as Error).message})`);
        }
      }),
    );
    if (missing.length > 0) {
      throw new RotationError(
        `The rotation of the gossip keys has stopped: ${missing.join(', ')}. Nothing is lost; rotate again when every member answers, or has left.`,
      );
    }
  }
}
