/**
 * Waits until every promise has settled, then returns all values or throws the first failure in the order of
 * the list. `Promise.all` returns at the first failure and leaves the others running: whoever cleans up after
 * a failure uses this.
 */
export async function allEnded<T>(promises: Iterable<Promise<T>>): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}
