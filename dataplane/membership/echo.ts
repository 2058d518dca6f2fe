import { ByteWriter } from '../common/byte-writer.ts';

/** The answer to an `echo`: milliseconds since 1970. */
export const encodeTime = (timeOfDay: number): Uint8Array =>
  new ByteWriter().u64(Math.max(0, Math.round(timeOfDay))).finish();
