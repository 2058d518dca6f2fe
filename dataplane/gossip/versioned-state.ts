import { Fingerprint } from './fingerprint.ts';
import type { NodeId, Update } from './member.ts';

/**
 * What each node says of itself: keys with values and versions (Scuttlebutt: van Renesse, Dumitriu, Gough,
 * Thomas 2008). Only the owner writes, and numbers its writes; so the newest version of an owner that a
 * node has tells exactly what it lacks. A generation (the owner's incarnation at its start) replaces all of
 * the owner's keys. Guarded invariant: versions of an owner's generation never go back.
 */
interface Versioned {
  readonly value: string;
  readonly version: number;
}

interface OwnedState {
  readonly generation: number;
  readonly version: number;
  readonly entries: ReadonlyMap<string, Versioned>;
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
  readonly entries: readonly (Versioned & { readonly key: string })[];
}

export interface Delta {
  readonly states: readonly DeltaOf[];
  readonly members: readonly Update[];
}

/** Keys of one owner; a node writes a dozen. */
const entriesMax = 64;

const textOf = (id: NodeId, { generation, version }: OwnedState): string =>
  `${id} ${generation} ${version}`;

const nothing: OwnedState = { generation: 0, version: 0, entries: new Map() };

export class VersionedState {
  readonly #own: NodeId;
  readonly #states = new Map<NodeId, OwnedState>();
  readonly #fingerprint = new Fingerprint();

  constructor(own: NodeId, generation: number) {
    this.#own = own;
    this.#replace(own, { generation, version: 0, entries: new Map() });
  }

  /** Equal on nodes with the same `versions`, but for those of 0. */
  get fingerprint(): number {
    return this.#fingerprint.value;
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
    const state = this.#states.get(this.#own) ?? nothing;
    if (state.entries.get(key)?.value === value) return;
    const version = state.version + 1;
    const entries = new Map(state.entries).set(key, { value, version });
    this.#replace(this.#own, { ...state, version, entries });
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

  /** What a member with `versions` lacks. */
  missing(versions: Digest['versions']): readonly DeltaOf[] {
    const deltas: DeltaOf[] = [];
    for (const [id, { generation, version, entries }] of this.#states) {
      const has = versions.get(id);
      const from = has?.generation === generation ? has.version : 0;
      const isNewer = has === undefined || generation > has.generation || version > from;
      if (!isNewer || (has !== undefined && generation < has.generation)) continue;
      const newer = [...entries].filter(([, each]) => each.version > from);
      const changed = newer.map(([key, each]) => ({ key, ...each }));
      deltas.push({ id, generation, from, version, entries: changed });
    }
    return deltas;
  }

  /** Nobody but this node speaks of itself; older generations and versions change nothing. */
  merge(deltas: readonly DeltaOf[]): void {
    for (const { id, generation, from, version, entries } of deltas) {
      const known = this.#states.get(id) ?? nothing;
      if (id === this.#own || generation < known.generation) continue;
      const isSame = generation === known.generation;
      if (from > (isSame ? known.version : 0)) continue;
      const merged = new Map(isSame ? known.entries : []);
      for (const { key, value, version: written } of entries) {
        if (merged.size >= entriesMax && !merged.has(key)) continue;
        if (written > (merged.get(key)?.version ?? 0)) merged.set(key, { value, version: written });
      }
      const newest = isSame ? Math.max(version, known.version) : version;
      this.#replace(id, { generation, version: newest, entries: merged });
    }
  }
}
