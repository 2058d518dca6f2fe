/** Amounts as Kubernetes writes them, as far as volumes use them. Pure. */

const factors: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** Bytes; undefined for what is no amount of bytes. Exact up to 9 PB. */
function bytesOf(quantity: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/.exec(quantity);
  if (match === null) return undefined;
  const factor = factors[match[2] ?? ''];
  return factor === undefined ? undefined : Math.ceil(Number(match[1]) * factor);
}

/** Whether `wanted` is more than `actual`. Equal amounts in other units are no growth. */
export function isMore(wanted: string, actual: string): boolean {
  const [wantedBytes, actualBytes] = [bytesOf(wanted), bytesOf(actual)];
  return wantedBytes !== undefined && actualBytes !== undefined && wantedBytes > actualBytes;
}
