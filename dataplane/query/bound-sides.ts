/** Whether the two ends of a range belong to it, by the names of the options. */
export interface BoundSides {
  readonly left_bound: 'open' | 'closed';
  readonly right_bound: 'open' | 'closed';
}
