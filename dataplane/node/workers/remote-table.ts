import { pushedText } from '../../wire/pushed-codec.ts';
import { leavesLess } from '../../wire/pushed-scan.ts';
import type { Made } from '../../wire/pushed-scan.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
  ReadMode,
  ScanOptions,
  TableAccess,
} from '../../wire/table-access.ts';
import { decodeTableAnswer, encodeTableRequest } from '../../wire/table-codec.ts';
import type { EditOutcome } from '../../wire/table-edit.ts';
import type { Channel } from '../../workers/channel.ts';
import { thrown, thrownHere } from './failures.ts';
import { Fields, refused } from './fields.ts';

/** Tables of the core as a query worker reads and writes them. */
export class RemoteTables {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  table(id: string, mode?: ReadMode): TableAccess {
    const ask = (...body: unknown[]): Promise<unknown> =>
      thrownHere(this.#channel.request(inMode(mode, body)));
    return {
      get: async (key) => {
        const text = await ask('get', id, key);
        return typeof text === 'string' ? { key, text } : undefined;
      },
      scan: (range, order, options) =>
        new RemoteScan(this.#channel, id, { index: null, range, order, options, mode }),
      scanIndex: (index, range, order, options) =>
        new RemoteScan(this.#channel, id, { index, range, order, options, mode }),
      count: async () => Number(await ask('count', id)),
      // The way of every write: no promise more than it needs.
      edit: (body, signal) => {
        const bytes = encodeTableRequest({ to: { table: id, ...anyShard }, kind: 'edit', body });
        return this.#channel.request(['edit', id, bytes], signal).then(outcomesIn, thrown);
      },
      sync: async () => void (await thrownHere(this.#channel.request(['sync', id]))),
    };
  }
}

/** The core finds the shard of each edit. */
const anyShard = { shard: 0, epoch: 0 };

function outcomesIn(answer: unknown): readonly EditOutcome[] {
  if (!(answer instanceof Uint8Array)) throw refused('bytes', answer);
  const decoded = decodeTableAnswer('edit', answer);
  if (decoded.type !== 'done') throw refused('outcomes', decoded.type);
  return decoded.body;
}

/** Most reads say nothing of their mode. */
const inMode = (mode: ReadMode | undefined, body: readonly unknown[]): readonly unknown[] =>
  mode === undefined || mode === 'single' ? body : ['as', mode, ...body];

interface ScanOf {
  readonly index: string | null;
  readonly range: EncodedRange;
  readonly order: Order;
  readonly options: ScanOptions | undefined;
  readonly mode: ReadMode | undefined;
}

/** A scan that the core holds open between batches. */
class RemoteScan implements BatchSource<IndexRow> {
  readonly #channel: Channel;
  readonly #table: string;
  readonly #of: ScanOf;
  /** Undefined before the first batch. */
  #id: number | undefined;
  #isOver = false;

  constructor(channel: Channel, table: string, of: ScanOf) {
    this.#channel = channel;
    this.#table = table;
    this.#of = of;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<IndexRow[] | undefined> {
    if (this.#isOver) return undefined;
    const [rows, bytes] = [wholeOf(limit.rows), wholeOf(limit.bytes)];
    const body =
      this.#id === undefined
        ? inMode(this.#of.mode, ['scan', this.#table, ...fieldsOf(this.#of), rows, bytes])
        : ['next', this.#id, rows, bytes];
    const fields = new Fields(await thrownHere(this.#channel.request(body, signal)));
    this.#id = fields.number();
    if (this.#isOver) this.#release();
    const flat = fields.optional((all) => all.array());
    if (flat !== undefined) return rowsOf(flat);
    this.#isOver = true;
    return undefined;
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
  }

  #release(): void {
    if (this.#id !== undefined) this.#channel.notify(['close', this.#id]);
  }
}

const fieldsOf = ({ index, range: { start, end }, order, options = {} }: ScanOf): unknown[] => {
  const { pushed, after, until } = options;
  return [
    index,
    start ?? null,
    end ?? null,
    order,
    // All workers share the core: it evaluates what spares it the way of the rows.
    pushed !== undefined && leavesLess(pushed) ? pushedText(pushed) : null,
    after?.indexKey ?? null,
    after?.key ?? null,
    until?.indexKey ?? null,
    until?.key ?? null,
  ];
};

/** A limit may be infinite. */
const wholeOf = (limit: number): number => Math.min(Math.floor(limit), Number.MAX_SAFE_INTEGER);

/** Key, text, index key and what was made of it, row after row. */
function rowsOf(flat: readonly unknown[]): IndexRow[] {
  const rows: IndexRow[] = [];
  for (let at = 0; at + 3 < flat.length; at += 4) {
    const row = { key: flat[at], text: flat[at + 1], indexKey: flat[at + 2] } as IndexRow;
    const made = flat[at + 3] as Made | null;
    rows.push(made === null ? row : { ...row, made });
  }
  return rows;
}
