/** The documents of the `reql` benchmark, the same ones for each server, and what is drawn of them. */
export const documentsCount = 20_000;
const loadBatch = 200;
export const groups = 100;
export const rangeRows = 100;
export const scanRows = 2_000;

/** Eight connections with batches of 200 documents of 1 KB. */
export const sustained = { connections: 8, batch: 200 } as const;

export interface Document {
  readonly id: string;
}

const idOf = (number: number): string => `d${String(number).padStart(8, '0')}`;

const documentOf = (number: number): Document & Record<string, unknown> => ({
  id: idOf(number),
  number,
  group: number % groups,
  partner: idOf((number * 7) % documentsCount),
  text: `text of ${number} `.padEnd(200, 'x'),
});

/** All documents, in batches. */
export function* batches(): Generator<readonly Document[]> {
  for (let at = 0; at < documentsCount; at += loadBatch) {
    yield Array.from({ length: loadBatch }, (_, place) => documentOf(at + place));
  }
}

export const some = (random: number, below = documentsCount): number => Math.floor(random * below);

export const someId = (random: number): string => idOf(some(random));

/** Ten different ids, far from each other. */
export const someIds = (random: number): string[] =>
  Array.from({ length: 10 }, (_, at) => idOf((some(random) + at * 1_999) % documentsCount));

/** The first id of a range of 100 documents, and the first one behind it. */
export function someRange(random: number): [string, string] {
  const first = some(random, documentsCount - rangeRows);
  return [idOf(first), idOf(first + rangeRows)];
}

let inserted = documentsCount;

/** A document that no server has. */
export const nextDocument = (): Document => documentOf((inserted += 1));

/** Documents of 1 KB that no server has, with keys in no order. */
export const nextBatch = (): Document[] =>
  Array.from({ length: sustained.batch }, () => {
    inserted += 1;
    return {
      id: `s${(inserted * 0x9e_37_79_b1) % 0x1_0000_0000}-${inserted}`,
      text: 'x'.repeat(940),
    };
  });
