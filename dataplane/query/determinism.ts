/**
 * How far the value of a node follows from its arguments alone: always; always within one query
 * (`now`); or not at all (chance, what a table holds).
 */
export const determinism = { always: 0, withinQuery: 1, never: 2 } as const;
export type Determinism = (typeof determinism)[keyof typeof determinism];
