/** A property that was to hold did not: the seed of the run reproduces it. */
export class SafetyViolation extends Error {
  override readonly name = 'SafetyViolation';
}
