import type { Datum } from '../../datum/datum.ts';
import type { NodeEnvironment } from '../environment.ts';
import type { Identifiers } from '../terms/table-report.ts';

/** A table of the database `rethinkdb`: its rows are made when they are read. */
export interface SystemTable {
  readonly name: string;
  /** Only who knows of it finds it. */
  readonly isHidden?: boolean;
  entries(view: SystemView): readonly SystemEntry[] | Promise<readonly SystemEntry[]>;
  /**
   * Takes a row: null deletes it. Answers the row that is there then; throws what the client sees.
   * Without it the table is read-only.
   */
  write?(change: SystemChange, view: SystemView): Promise<Datum>;
}

export interface SystemView {
  readonly environment: NodeEnvironment;
  /** How rows name databases, tables and servers. */
  readonly identifiers: Identifiers;
}

export interface SystemEntry {
  readonly id: Datum;
  readonly row: () => Datum;
}

export interface SystemChange {
  readonly id: Datum;
  /** Null when there is no such row. */
  readonly old: Datum;
  readonly proposed: Datum;
  /** The client left the key to the database. */
  readonly isKeyGenerated: boolean;
}

export const entryOf = (id: Datum, row: () => Datum): SystemEntry => ({ id, row });

/** An id as the catalog knows them; what is no text is no id of it. */
export const catalogId = (id: Datum): string => (typeof id === 'string' ? id : '');

/** How a row names what has an id and a name. */
export const named = (
  { id, name }: { readonly id: string; readonly name: string },
  { identifiers }: SystemView,
): string => (identifiers === 'uuid' ? id : name);
