import { PhotonError } from '../common/errors.ts';
import type { Damage } from './damage.ts';

/** A table of which something is lost: neither read nor written until it is restored or dropped. */
export class TableDamagedError extends PhotonError {
  override readonly code = 'replication.table_damaged';
  constructor(table: string, damage: Damage) {
    super(
      `Table \`${table}\` is damaged, and neither read nor written: ${damage.message} Drop the table ` +
        'and restore it from a backup, or repair it with `npm run storage`; other tables are served.',
    );
  }
}
