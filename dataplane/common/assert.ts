/**
 * Broken invariants end the process: an AssertionError is never caught. What can happen in
 * operation (a corrupt file, a lost peer, a wrong query) is a value or a PhotonError instead.
 */
class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Ends the process, with an error that is never caught, if an invariant does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The default branch of an exhaustive switch: reached only by a value outside its type. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${String(value)}`);
}
