import type { Datum } from '../../datum/datum.ts';
import { canonicalText, parseText } from '../../datum/text.ts';
import type { Edit, EditOutcome, TableAccess } from '../../query/environment.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
} from '../../wire/table-access.ts';
import type { Channel } from '../../workers/channel.ts';
import { errorOf, failureOf, thrownHere } from './failures.ts';
import { Fields } from './fields.ts';

/** What an edit of this worker has been evaluated to; the core has the same as text. */
interface Evaluated {
  readonly old: Datum;
  readonly new: Datum;
  readonly error?: Error;
}

interface RunningEdit {
  readonly edits: readonly Edit[];
  readonly evaluated: (Evaluated | undefined)[];
}

/** Tables of the core as a query worker reads and writes them. */
export class RemoteTables {
  readonly #channel: Channel;
  readonly #editing = new Map<number, RunningEdit>();
  #nextEdit = 1;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  table(id: string): TableAccess {
    const ask = (...body: unknown[]): Promise<unknown> => thrownHere(this.#channel.request(body));
    return {
      get: async (key) => {
        const text = await ask('get', id, key);
        return typeof text === 'string' ? { key, text } : undefined;
      },
      scan: (range, order) => new RemoteScan(this.#channel, id, { index: null, range, order }),
      scanIndex: (index, range, order) =>
        new RemoteScan(this.#channel, id, { index, range, order }),
      count: async () => Number(await ask('count', id)),
      edit: (edits, durability, signal) => this.#edit(id, { edits, durability }, signal),
      sync: async () => void (await ask('sync', id)),
    };
  }

  /** The core has the document that an edit of this worker is about. */
  async evaluate(editId: number, position: number, oldText: string | undefined): Promise<unknown> {
    const running = this.#editing.get(editId);
    const edit = running?.edits[position];
    // The query was aborted meanwhile.
    if (running === undefined || edit === undefined) return ['gone'];
    const old = oldText === undefined ? null : parseText(oldText);
    try {
      const next = await edit.evaluate(old);
      running.evaluated[position] = { old, new: next };
      if (next === old) return ['same'];
      return ['new', next === null ? null : canonicalText(next)];
    } catch (error) {
      running.evaluated[position] = { old, new: old, error: error as Error };
      return ['failed', failureOf(error)];
    }
  }

  async #edit(
    table: string,
    { edits, durability }: { readonly edits: readonly Edit[]; readonly durability: string },
    signal: AbortSignal,
  ): Promise<readonly EditOutcome[]> {
    const id = this.#nextEdit;
    this.#nextEdit += 1;
    const running: RunningEdit = { edits, evaluated: [] };
    this.#editing.set(id, running);
    const sent = edits.map(({ key, isKeyGenerated, deletes, replacesDamage }) => [
      key,
      isKeyGenerated ?? false,
      deletes ?? false,
      replacesDamage ?? false,
    ]);
    try {
      const body = ['edit', table, durability, id, sent];
      const outcomes = new Fields([await thrownHere(this.#channel.request(body, signal))]).array();
      return outcomes.map((outcome, at) => outcomeOf(outcome, running.evaluated[at]));
    } finally {
      this.#editing.delete(id);
    }
  }
}

/** Null: as it was evaluated. */
function outcomeOf(outcome: unknown, evaluated: Evaluated | undefined): EditOutcome {
  if (outcome === null && evaluated !== undefined) return evaluated;
  const fields = new Fields(outcome);
  const old = fields.optional((all) => parseText(all.text())) ?? null;
  const next = fields.optional((all) => parseText(all.text())) ?? null;
  const failure = fields.optional((all) => errorOf(all.any()));
  const damage = fields.optional((all) => new Error(all.text()));
  // The worker's own error knows its place in the query.
  const error = failure === undefined ? undefined : (evaluated?.error ?? failure);
  return {
    old,
    new: next,
    ...(error === undefined ? {} : { error }),
    ...(damage === undefined ? {} : { damage }),
  };
}

interface ScanOf {
  readonly index: string | null;
  readonly range: EncodedRange;
  readonly order: Order;
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
    const { index, range, order } = this.#of;
    const body =
      this.#id === undefined
        ? ['scan', this.#table, index, range.start ?? null, range.end ?? null, order, rows, bytes]
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

/** A limit may be infinite. */
const wholeOf = (limit: number): number => Math.min(Math.floor(limit), Number.MAX_SAFE_INTEGER);

/** Key, text and index key, row after row. */
function rowsOf(flat: readonly unknown[]): IndexRow[] {
  const rows: IndexRow[] = [];
  for (let at = 0; at + 2 < flat.length; at += 3) {
    const [key, text, indexKey] = [flat[at], flat[at + 1], flat[at + 2]] as [
      Uint8Array,
      string,
      Uint8Array,
    ];
    rows.push({ key, text, indexKey });
  }
  return rows;
}
