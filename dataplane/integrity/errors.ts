import { PhotonError } from '../common/errors.ts';
import type { Damage } from './damage.ts';

/** A table of which something is lost: neither read nor written until it is restored or dropped. */
export class TableDamagedError extends PhotonError {
  override readonly code = 'replication.table_damaged';
  constructor(
    table: string,
    damage: Damage,
    { at, of }: { readonly at: number; readonly of: number } = { at: 0, of: 1 },
  ) {
    const what = of === 1 ? 'Table' : `Shard ${at + 1} of ${of} of table`;
    super(
      `${what} \`${table}\` is damaged, and neither read nor written: ${damage.message} Drop the table ` +
        'and restore it from a backup, or repair it with `npm run storage`; other tables are served.',
    );
  }
}
