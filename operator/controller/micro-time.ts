/**
 * Times of leases and events. The API takes them only with six digits of a second: a time with
 * the three digits of a JavaScript date is refused with 400, and no leader would ever be found.
 */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
