import type { StoredRing } from './cluster-files.ts';
import { RotationError } from './errors.ts';
import { digestOf } from './ring-keeper.ts';

/**
 * Replaces the gossip key without loss: a new key is installed, used, and the former ones are removed, and
 * each step reaches every member before the next one begins. Guarded invariant: no step is skipped for a
 * member that does not answer; the rotation stops, and what was done is no harm.
 */
export interface RotationOptions {
  /** Members that must have each step: those that are not dead and have not left. */
  readonly members: () => readonly { readonly id: string; readonly name: string }[];
  /** This node's ring after a step; it is installed here first. */
  readonly steps: readonly (() => StoredRing)[];
  readonly adopt: (ring: StoredRing) => void;
  /** Resolves with the digest of the ring that the member has then. */
  readonly write: (id: string, ring: StoredRing) => Promise<string>;
}

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
