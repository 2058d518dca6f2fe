import type { Datum } from '../datum/datum.ts';

/** What a shard is asked for, and what it answers. */

export interface Edit {
  readonly key: Uint8Array;
  /**
   * Whether what it leaves may stand in place of a document that cannot be read. Then that counts as
   * null, and `EditOutcome.damage` says so; any other edit of such a document fails.
   */
  readonly replacesDamage?: boolean;
  evaluate(old: Datum): Datum | Promise<Datum>;
}

export interface EditOutcome {
  readonly old: Datum;
  readonly new: Datum;
  readonly error?: Error;
  /** Why nobody knows what was there before. */
  readonly damage?: Error;
}
