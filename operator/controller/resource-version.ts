/**
 * Versions of one kind of object are numbers that grow; anything that is not a number is taken as
 * newer, so that a server with other versions costs efficiency and not truth. Pure.
 */
const decimal = /^\d{1,20}$/;

export function isOlder(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined) return false;
  if (!decimal.test(version) || !decimal.test(than)) return false;
  return BigInt(version) < BigInt(than);
}
