import type { KeyspaceSum } from '../apply/apply-queue.ts';

/** What the replicas of a shard have at one position of its log, and who differs from the majority. */
export type Verdict =
  /** Not all have reported, and no majority has reported the same. */
  | { readonly type: 'open' }
  | { readonly type: 'equal' }
  /** All have reported, and none of it is what a majority has. */
  | { readonly type: 'undecided' }
  | {
      readonly type: 'differs';
      readonly wrong: readonly string[];
      /** What the majority has. */
      readonly sums: readonly KeyspaceSum[];
    };

type Sums = readonly KeyspaceSum[];

const textOf = ({ count, bytes, hash }: KeyspaceSum): string => `${count} ${bytes} ${hash}`;

/** Keyspaces that two replicas both have, and of which they have something else: an index may be unbuilt on one. */
export const differs = (own: Sums, other: Sums): boolean =>
  own.some((sum) =>
    other.some((each) => each.keyspace === sum.keyspace && textOf(each) !== textOf(sum)),
  );

/** The value that more than half of the voters have. */
function majorityOf(values: ReadonlyMap<string, string>, voters: readonly string[]) {
  const counts = new Map<string, number>();
  for (const voter of voters) {
    const value = values.get(voter);
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].find(([, count]) => count * 2 > voters.length)?.[0];
}

/**
 * Collects what the members report of one position. Guarded invariant: a member is called wrong by a majority of the
 * voters that agree with one another, and by nobody else.
 */
export class Verification {
  readonly index: number;
  readonly #reports = new Map<string, Sums>();

  constructor(index: number) {
    this.index = index;
  }

  add(member: string, sums: Sums): void {
    this.#reports.set(member, sums);
  }

  verdict(voters: readonly string[]): Verdict {
    const isWhole = voters.every((voter) => this.#reports.has(voter));
    const keyspaces = new Set([...this.#reports.values()].flat().map(({ keyspace }) => keyspace));
    const right: KeyspaceSum[] = [];
    const wrong = new Set<string>();
    let isDisputed = false;
    for (const keyspace of keyspaces) {
      const found = this.#sumsOf(keyspace);
      const values = new Map([...found].map(([member, sum]) => [member, textOf(sum)]));
      const majority = majorityOf(values, voters);
      if (majority === undefined) {
        isDisputed ||= new Set(values.values()).size > 1;
        continue;
      }
      for (const [member, value] of values) if (value !== majority) wrong.add(member);
      right.push(...[...found.values()].filter((sum) => textOf(sum) === majority).slice(0, 1));
    }
    if (wrong.size > 0) return { type: 'differs', wrong: [...wrong], sums: right };
    if (!isWhole) return { type: 'open' };
    return { type: isDisputed ? 'undecided' : 'equal' };
  }

  #sumsOf(keyspace: number): ReadonlyMap<string, KeyspaceSum> {
    const found = new Map<string, KeyspaceSum>();
    for (const [member, sums] of this.#reports) {
      const sum = sums.find((each) => each.keyspace === keyspace);
      if (sum !== undefined) found.set(member, sum);
    }
    return found;
  }
}
