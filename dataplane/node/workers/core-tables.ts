import type { Environment } from '../../query/environment.ts';
import { errorType, RuntimeError } from '../../query/errors.ts';
import { pushedOf } from '../../wire/pushed-codec.ts';
import { readModes } from '../../wire/table-access.ts';
import type {
  BatchSource,
  IndexPosition,
  IndexRow,
  ReadMode,
  Row,
  TableAccess,
} from '../../wire/table-access.ts';
import { withinAnswer } from '../../wire/edit-answer.ts';
import { decodeTableRequest, encodeTableAnswer } from '../../wire/table-codec.ts';
import type { EditOutcome } from '../../wire/table-edit.ts';
import type { ServedRequest } from '../../workers/channel.ts';
import { refused } from './fields.ts';
import type { Fields } from './fields.ts';

/** The tables of the node as one query worker reaches them. What is kept for it ends with it. */
type Scan = BatchSource<Row | IndexRow>;

/** Scans that a worker may hold open: cursors of all its connections, and what their queries read. */
const scansMax = 65_536;

interface OpenScan {
  readonly scan: Scan;
  readonly table: string;
}

export interface CoreTablesOptions {
  readonly table: Environment['table'];
  /** Throws while the node does not serve the table; what opens a table asks that itself. */
  readonly check: (table: string) => void;
}

export class CoreTables {
  readonly #options: CoreTablesOptions;
  readonly #scans = new Map<number, OpenScan>();
  #nextScan = 1;

  constructor(options: CoreTablesOptions) {
    this.#options = options;
  }

  /** A read with a mode of its own. */
  inMode(fields: Fields, request: ServedRequest): unknown {
    const mode = fields.oneOf(readModes);
    switch (fields.oneOf(['get', 'count', 'scan'] as const)) {
      case 'get':
        return this.get(fields, request, mode);
      case 'count':
        return this.count(fields, mode);
      case 'scan':
        return this.scan(fields, request, mode);
    }
  }

  get(fields: Fields, request: ServedRequest, mode?: ReadMode): unknown {
    const table = this.#open(fields.text(), mode);
    const row = table.get(fields.bytes(), request);
    return row instanceof Promise ? row.then(textOf) : textOf(row);
  }

  count(fields: Fields, mode?: ReadMode): Promise<number> {
    return this.#open(fields.text(), mode).count();
  }

  sync(fields: Fields): Promise<void> {
    return this.#open(fields.text()).sync();
  }

  async scan(fields: Fields, request: ServedRequest, mode?: ReadMode): Promise<unknown> {
    const tableId = fields.text();
    const table = this.#open(tableId, mode);
    const index = fields.optional((all) => all.text());
    const start = fields.optional((all) => all.bytes());
    const end = fields.optional((all) => all.bytes());
    const order = fields.oneOf(['ascending', 'descending'] as const);
    const pushed = fields.optional((all) => pushedOf(all.text()));
    const [after, until] = [positionIn(fields), positionIn(fields)];
    const range = {
      ...(start === undefined ? {} : { start }),
      ...(end === undefined ? {} : { end }),
    };
    if (this.#scans.size >= scansMax) {
      const words = `Too many scans are open on this server (${scansMax}).`;
      throw new RuntimeError(errorType.resourceLimit, words, []);
    }
    const scan: Scan =
      index === undefined
        ? table.scan(range, order, { pushed })
        : table.scanIndex(index, range, order, { pushed, after, until });
    const id = this.#nextScan;
    this.#nextScan += 1;
    this.#scans.set(id, { scan, table: tableId });
    return this.#batch(id, scan, fields, request);
  }

  async next(fields: Fields, request: ServedRequest): Promise<unknown> {
    const id = fields.number();
    const open = this.#scans.get(id);
    if (open === undefined) return [id, null];
    this.#options.check(open.table);
    return this.#batch(id, open.scan, fields, request);
  }

  close(fields: Fields): void {
    this.#end(fields.number());
  }

  edit(tableId: string, fields: Fields, request: ServedRequest): Promise<Uint8Array> {
    // A worker runs the code of this process: what it has checked was checked.
    const asked = decodeTableRequest(fields.bytes(), { believesChecks: true });
    if (asked.kind !== 'edit') throw refused('edits', asked.kind);
    return this.#open(tableId).edit(asked.body, request.signal).then(doneOf);
  }

  /** The worker is gone. */
  ended(): void {
    for (const id of this.#scans.keys()) this.#end(id);
  }

  #open(id: string, mode?: ReadMode): TableAccess {
    const table = this.#options.table(id, mode);
    if (table !== undefined) return table;
    throw new RuntimeError(errorType.opFailed, 'The table was dropped.', []);
  }

  #end(id: number): void {
    this.#scans.get(id)?.scan.close();
    this.#scans.delete(id);
  }

  async #batch(id: number, scan: Scan, fields: Fields, request: ServedRequest): Promise<unknown> {
    const limit = { rows: fields.number(), bytes: fields.number() };
    try {
      const rows = await scan.next(limit, request.signal);
      if (rows === undefined) this.#end(id);
      return [id, rows === undefined ? null : flatOf(rows)];
    } catch (error) {
      this.#end(id);
      throw error;
    }
  }
}

function positionIn(fields: Fields): IndexPosition | undefined {
  const indexKey = fields.optional((all) => all.bytes());
  const key = fields.optional((all) => all.bytes());
  return indexKey === undefined || key === undefined ? undefined : { indexKey, key };
}

const doneOf = (body: readonly EditOutcome[]): Uint8Array =>
  encodeTableAnswer('edit', { type: 'done', body: withinAnswer(body) });

const textOf = (row: Row | undefined): string | null => row?.text ?? null;

function flatOf(rows: readonly (Row | IndexRow)[]): unknown[] {
  const flat: unknown[] = [];
  for (const row of rows)
    flat.push(row.key, row.text, 'indexKey' in row ? row.indexKey : null, row.made ?? null);
  return flat;
}
