/**
 * Which nodes have the replicas of shards. Guarded invariants: a shard has a node once; each node has as many replicas
 * as any other, as far as that can be; replicas of a shard are in as many zones as there are; what is there stays.
 */
export interface PlacementNode {
  readonly id: string;
  readonly zone?: string | undefined;
  /** Whether it gets replicas that it does not have: `last` where no other node can have them. */
  readonly admits?: 'freely' | 'last' | 'never';
}

const isLast = ({ admits }: PlacementNode): number => Number(admits === 'last');
const isClosed = ({ admits }: PlacementNode): boolean => admits === 'never';

/** How many replicas each node has already, and how many of them are the first of their shard. */
export interface PlacementLoad {
  readonly replicas: ReadonlyMap<string, number>;
  readonly first: ReadonlyMap<string, number>;
}

const noLoad: PlacementLoad = { replicas: new Map(), first: new Map() };

/** Of the placements that there are. */
export function loadOf(placed: readonly (readonly string[])[]): PlacementLoad {
  const [replicas, first] = [new Map<string, number>(), new Map<string, number>()];
  for (const nodes of placed) note(nodes, { replicas, first });
  return { replicas, first };
}

interface Counts {
  readonly replicas: Map<string, number>;
  readonly first: Map<string, number>;
}

function note(nodes: readonly string[], { replicas, first }: Counts): void {
  for (const id of nodes) replicas.set(id, (replicas.get(id) ?? 0) + 1);
  const [leader] = nodes;
  if (leader !== undefined) first.set(leader, (first.get(leader) ?? 0) + 1);
}

/** The nodes of each shard; the first one is to lead it. Fewer than `replicas` when there are fewer nodes. */
export function placeShards(
  nodes: readonly PlacementNode[],
  { shards, replicas }: { readonly shards: number; readonly replicas: number },
  load: PlacementLoad = noLoad,
): string[][] {
  const counts: Counts = { replicas: new Map(load.replicas), first: new Map(load.first) };
  return Array.from({ length: shards }, () => {
    const chosen = grownReplicas([], nodes, replicas, counts);
    const rank = (id: string): number => isLast(nodes.find((node) => node.id === id) ?? { id });
    const [leader] = chosen.toSorted(
      (a, b) => rank(a) - rank(b) || countOf(counts.first, a) - countOf(counts.first, b),
    );
    const placed = chosen.toSorted((a, b) => Number(b === leader) - Number(a === leader));
    note(placed, counts);
    return placed;
  });
}

const countOf = (counts: ReadonlyMap<string, number>, id: string): number => counts.get(id) ?? 0;

/** The replicas of a shard with more of them. Those that it has stay, in their order. */
export function grownReplicas(
  current: readonly string[],
  nodes: readonly PlacementNode[],
  replicas: number,
  load: Pick<PlacementLoad, 'replicas'> = noLoad,
): string[] {
  const chosen = [...current];
  const zoneOf = (id: string): string => nodes.find((node) => node.id === id)?.zone ?? '';
  while (chosen.length < replicas) {
    const zones = chosen.map(zoneOf);
    const inZone = ({ zone = '' }: PlacementNode): number =>
      zones.filter((each) => each === zone).length;
    const [next] = nodes
      .filter((node) => !chosen.includes(node.id) && !isClosed(node))
      .toSorted(
        (a, b) =>
          isLast(a) - isLast(b) ||
          inZone(a) - inZone(b) ||
          countOf(load.replicas, a.id) - countOf(load.replicas, b.id) ||
          (a.id < b.id ? -1 : 1),
      );
    if (next === undefined) break;
    chosen.push(next.id);
  }
  return chosen;
}

/**
 * The nodes of shards that are to have that many replicas. What a shard has stays where it is, as far as its node is
 * among `nodes` and admits replicas; of too many, those on the nodes with the most go. `load`: of the other shards.
 */
export function replaceShards(
  current: readonly (readonly string[])[],
  nodes: readonly PlacementNode[],
  replicas: number,
  load: PlacementLoad = noLoad,
): string[][] {
  const open = nodes.filter((node) => !isClosed(node));
  const kept = current.map((placed) => placed.filter((id) => open.some((node) => node.id === id)));
  const counts = new Map(load.replicas);
  const add = (id: string, more: number): void => void counts.set(id, countOf(counts, id) + more);
  for (const id of kept.flat()) add(id, 1);
  const chosen = kept.map((placed) => {
    const [first] = placed;
    const surplus = placed
      .filter((id) => id !== first)
      .toSorted((a, b) => countOf(counts, b) - countOf(counts, a))
      .slice(0, Math.max(0, placed.length - replicas));
    for (const id of surplus) add(id, -1);
    const rest = placed.filter((id) => !surplus.includes(id));
    const grown = grownReplicas(rest, nodes, replicas, { replicas: counts });
    for (const id of grown.slice(rest.length)) add(id, 1);
    return grown;
  });
  return balanceFirst(chosen, load, nodes);
}

/**
 * The same replicas; each node leads about as many shards. A shard whose node leads no more than others keeps it, and a
 * node that does not admit replicas freely gets no more to lead.
 */
export function balanceFirst(
  placed: readonly (readonly string[])[],
  load: PlacementLoad = noLoad,
  nodes: readonly PlacementNode[] = [],
): string[][] {
  const isShut = (id: string): boolean =>
    nodes.some((node) => node.id === id && (isClosed(node) || isLast(node) > 0));
  const result = placed.map((nodes) => [...nodes]);
  const first = new Map(load.first);
  const add = (id: string | undefined, more: number): void => {
    if (id !== undefined) first.set(id, countOf(first, id) + more);
  };
  for (const [id] of result) add(id, 1);
  // Each step takes a shard from a node that leads at least two more than the one that gets it.
  for (let isMoved = true; isMoved;) {
    isMoved = false;
    for (const replicas of result) {
      const [from = ''] = replicas;
      const [to = from] = replicas
        .filter((id) => !isShut(id))
        .toSorted((a, b) => countOf(first, a) - countOf(first, b));
      if (countOf(first, from) - countOf(first, to) < 2) continue;
      replicas.splice(replicas.indexOf(to), 1);
      replicas.unshift(to);
      add(from, -1);
      add(to, 1);
      isMoved = true;
    }
  }
  return result;
}

const votersMax = 5;

/** Voters of the metadata: an odd number; those that vote already first. */
export function metadataVoters(
  current: readonly string[],
  candidates: readonly string[],
): readonly string[] {
  const kept = current.filter((id) => candidates.includes(id));
  const others = candidates.filter((id) => !kept.includes(id)).toSorted();
  const all = [...kept, ...others].slice(0, votersMax);
  // What two nodes have is not given to one.
  if (kept.length === 2 && all.length === 2) return all;
  return all.length % 2 === 1 ? all : all.slice(0, -1);
}
