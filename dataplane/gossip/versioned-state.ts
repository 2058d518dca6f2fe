import { Fingerprint } from './fingerprint.ts';
import type { NodeId, Update } from './member.ts';
import { signedText } from './state-signer.ts';
import type { SignedState, StateEntry, StateSigner } from './state-signer.ts';

/**
 * What each node says of itself: keys with values and versions (Scuttlebutt: van Renesse, Dumitriu, Gough,
 * Thomas 2008). Only the owner writes, and numbers its writes; so the newest version of an owner that a
 * node has tells exactly what it lacks. A generation (the owner's incarnation at its start) replaces all of
 * the owner's keys. Guarded invariants: versions of an owner's generation never go back; what is kept of an owner
 * is what the owner has signed, whole, whoever has passed it on.
 */
interface OwnedState extends SignedState {
  readonly signature: Uint8Array;
}

/** What a node has of each owner, and what it believes of the members. */
export interface Digest {
  readonly versions: ReadonlyMap<NodeId, { readonly generation: number; readonly version: number }>;
  readonly members: readonly Update[];
}

export interface DeltaOf {
  readonly id: NodeId;
  readonly generation: number;
  /** The delta begins behind this version: only who has everything before it can use it. */
  readonly from: number;
  /** Everything of the owner up to here is in the delta or was there before. */
  readonly version: number;
  readonly entries: readonly (StateEntry & { readonly key: string })[];
  /** By the owner, over the whole state of this version. */
  readonly signature: Uint8Array;
}

/** Why what a member has passed on of an owner is not taken. */
export interface StateRefusal {
  readonly owner: NodeId;
  readonly reason: 'stateSignature' | 'stateKey' | 'stateSize';
}

export interface Delta {
  readonly states: readonly DeltaOf[];
  readonly members: readonly Update[];
}

/** Keys of one owner; a node writes a dozen. */
const entriesMax = 64;

const textOf = (id: NodeId, { generation, version }: SignedState): string =>
  `${id} ${generation} ${version}`;

const noEntries: SignedState['entries'] = new Map();
const reasons = { invalid: 'stateSignature', unknownKey: 'stateKey' } as const;

export class VersionedState {
  readonly #own: NodeId;
  readonly #signer: StateSigner;
  readonly #states = new Map<NodeId, OwnedState>();
  readonly #fingerprint = new Fingerprint();

  constructor(own: NodeId, generation: number, signer: StateSigner) {
    this.#own = own;
    this.#signer = signer;
    this.#write({ generation, version: 0, entries: noEntries });
  }

  /** Equal on nodes with the same `versions`, but for those of 0. */
  get fingerprint(): number {
    return this.#fingerprint.value;
  }

  #write(state: SignedState): void {
    const signature = this.#signer.sign(signedText(this.#own, state));
    this.#replace(this.#own, { ...state, signature });
  }

  #replace(id: NodeId, state: OwnedState | undefined): void {
    const known = this.#states.get(id);
    if (known !== undefined) this.#toggle(id, known);
    if (state === undefined) this.#states.delete(id);
    else this.#states.set(id, state);
    if (state !== undefined) this.#toggle(id, state);
  }

  #toggle(id: NodeId, state: OwnedState): void {
    // Of an owner that has said nothing there is nothing to exchange.
    if (state.version > 0) this.#fingerprint.toggle(textOf(id, state));
  }

  /** Writes a key of this node; the same value is no news. */
  set(key: string, value: string): void {
    const state = this.#states.get(this.#own) as OwnedState;
    if (state.entries.get(key)?.value === value) return;
    const version = state.version + 1;
    const entries = new Map(state.entries).set(key, { value, version });
    this.#write({ generation: state.generation, version, entries });
  }

  get(id: NodeId, key: string): string | undefined {
    return this.#states.get(id)?.entries.get(key)?.value;
  }

  forget(id: NodeId): void {
    if (id !== this.#own) this.#replace(id, undefined);
  }

  get versions(): Digest['versions'] {
    return new Map(
      [...this.#states].map(([id, { generation, version }]) => [id, { generation, version }]),
    );
  }

  /** Undefined for an owner of whom nothing is known. */
  versionOf(id: NodeId): Pick<SignedState, 'generation' | 'version'> | undefined {
    return this.#states.get(id);
  }

  /** What a member with `versions` lacks. */
  missing(versions: Digest['versions']): readonly DeltaOf[] {
    const deltas: DeltaOf[] = [];
    for (const [id, { generation, version, entries, signature }] of this.#states) {
      const has = versions.get(id);
      const from = has?.generation === generation ? has.version : 0;
      const isNewer = has === undefined || generation > has.generation || version > from;
      if (!isNewer || (has !== undefined && generation < has.generation)) continue;
      const newer = [...entries].filter(([, each]) => each.version > from);
      const changed = newer.map(([key, each]) => ({ key, ...each }));
      deltas.push({ id, generation, from, version, entries: changed, signature });
    }
    return deltas;
  }

  /**
   * Nobody but this node speaks of itself; older generations and versions change nothing. Answers what is not
   * what its owner has signed.
   */
  merge(deltas: readonly DeltaOf[]): readonly StateRefusal[] {
    return deltas.flatMap((delta) => {
      const reason = this.#merge(delta);
      return reason === undefined ? [] : [{ owner: delta.id, reason }];
    });
  }

  #merge(delta: DeltaOf): StateRefusal['reason'] | undefined {
    const { id, generation, from, version, signature } = delta;
    const known = this.#states.get(id);
    if (id === this.#own || generation < generationOf(known)) return undefined;
    const same = generation === known?.generation ? known : undefined;
    if (same !== undefined && version <= same.version) return undefined;
    if (from > (same?.version ?? 0)) return undefined;
    const entries = merged(same?.entries ?? noEntries, delta);
    if (entries.size > entriesMax) return 'stateSize';
    const state = { generation, version, entries };
    const verdict = this.#signer.verify(id, signedText(id, state), signature, entries);
    if (verdict !== 'valid') return reasons[verdict];
    this.#replace(id, { ...state, signature });
    return undefined;
  }
}

const generationOf = (known: OwnedState | undefined): number => known?.generation ?? 0;

function merged(known: SignedState['entries'], { entries }: DeltaOf): SignedState['entries'] {
  const all = new Map(known);
  for (const { key, value, version } of entries) {
    if (version > (all.get(key)?.version ?? 0)) all.set(key, { value, version });
  }
  return all;
}
