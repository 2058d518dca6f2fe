import { expect } from 'chai';
import type { PushedScan, ScanFold } from './pushed-scan.ts';
import type {
  BatchSource,
  EncodedRange,
  IndexRow,
  Order,
  Row,
  ScanOptions,
  TableAccess,
} from './table-access.ts';
import type { Change, Edit, EditBatch, EditOutcome } from './table-edit.ts';

/** What every way to a table does alike: in memory, in the database, and behind a link. */
export interface TableUnderTest {
  readonly access: TableAccess;
  /** The key of a document whose primary key is this number. */
  keyOf(id: number): Uint8Array;
  close(): Promise<unknown>;
}

const signal = new AbortController().signal;
const limit = { rows: 3, bytes: 1_000_000 };

const batchOf = (edits: readonly Edit[], more: Partial<EditBatch> = {}): EditBatch => ({
  edits,
  durability: 'hard',
  context: { nowMs: 1_000, arrayLimit: 100_000 },
  hook: undefined,
  documents: 'all',
  ...more,
});

const inserted = (document: object): Change => ({
  type: 'insert',
  document: { text: JSON.stringify(document), isChecked: false },
  isKeyGenerated: false,
  conflict: 'error',
});

interface Numbered {
  readonly n?: number;
  readonly group?: number;
}

const context = { nowMs: 1_000, arrayLimit: 100_000 };
const captured = [{ variable: 9, value: { text: '2' }, isSelection: false }];
/** A function: `term` of a field of its parameter and another value. */
const over = (field: string, term: number, value: unknown): string =>
  JSON.stringify([
    69,
    [
      [2, [1]],
      [term, [[170, [[10, [1]], field]], value]],
    ],
  ]);

async function drained<T extends Row>(source: BatchSource<T>, most = limit.rows): Promise<T[]> {
  const rows: T[] = [];
  for (;;) {
    const batch = await source.next({ ...limit, rows: most }, signal);
    if (batch === undefined) return rows;
    expect(batch.length).to.be.within(1, most);
    rows.push(...batch);
  }
}

const ids = (rows: readonly Row[]): unknown[] =>
  rows.map(({ text }) => (JSON.parse(text) as { id: unknown }).id);

/** `group`: an index over the field of this name. */
export function describeTableAccess(title: string, open: () => Promise<TableUnderTest>): void {
  describe(`a table ${title}`, () => {
    let table: TableUnderTest;
    beforeEach(async () => {
      table = await open();
    });
    afterEach(() => table.close());

    const edit = (
      edits: readonly (readonly [id: number, change: Change])[],
      more: Partial<EditBatch> = {},
    ): Promise<readonly EditOutcome[]> =>
      table.access.edit(
        batchOf(
          edits.map(([id, change]) => ({ key: table.keyOf(id), change })),
          more,
        ),
        signal,
      );
    const textOf = async (id: number): Promise<string | undefined> =>
      (await table.access.get(table.keyOf(id), { signal }))?.text;
    const fill = (): Promise<readonly EditOutcome[]> =>
      edit(Array.from({ length: 10 }, (_, id) => [id, inserted({ group: id % 3, id })] as const));

    it('answers nothing where there is nothing', async () => {
      expect(await textOf(1)).to.equal(undefined);
      expect(await table.access.count()).to.equal(0);
      expect(await drained(table.access.scan({}, 'ascending'))).to.deep.equal([]);
      expect(await drained(table.access.scanIndex('group', {}, 'descending'))).to.deep.equal([]);
      await table.access.sync();
    });

    it('has one outcome for each edit, with the documents that are asked for', async () => {
      const [first] = await edit([[1, inserted({ v: 'é', id: 1 })]]);
      expect(first).to.deep.include({ result: 'inserted', new: '{"id":1,"v":"é"}' });
      const outcomes = await edit([
        [1, { type: 'update', by: { text: '{"v":2}' } }],
        [1, { type: 'update', by: { text: '{"v":2}' } }],
        [2, { type: 'update', by: { text: '{"v":2}' } }],
        [1, inserted({ id: 1 })],
        [1, { type: 'replace', by: { text: '{"id":1}' } }],
        [1, { type: 'delete' }],
        [1, { type: 'delete' }],
      ]);
      expect(outcomes.map(({ result }) => result)).to.deep.equal([
        'replaced',
        'unchanged',
        'skipped',
        'failed',
        'replaced',
        'deleted',
        'skipped',
      ]);
      expect(outcomes[0]).to.deep.include({ old: '{"id":1,"v":"é"}', new: '{"id":1,"v":2}' });
      expect(outcomes[3]?.error?.message).to.match(/^Duplicate primary key `id`:\n/);
      const none = await edit([[1, inserted({ id: 1 })]], { documents: 'none' });
      expect(none).to.deep.equal([{ result: 'inserted' }]);
    });

    it('evaluates functions with what they capture, and the hook behind them', async () => {
      await edit([[1, inserted({ id: 1, n: 1 })]]);
      const captured = [{ variable: 9, value: { text: '41' }, isSelection: false }];
      const term = '[69,[[2,[1]],{"n":[24,[[170,[[10,[1]],"n"]],[10,[9]]]]}]]';
      const hook = {
        term: '[69,[[2,[1,2,3]],[35,[[10,[3]],{"by":[170,[[10,[1]],"primary_key"]]}]]]]',
        captured: [],
      };
      const change: Change = { type: 'update', by: { term, captured } };
      const [outcome] = await edit([[1, change]], { hook });
      expect(outcome).to.deep.include({ result: 'replaced', new: '{"by":1,"id":1,"n":42}' });
      const failing = { term: '[69,[[2,[1]],[12,["no"]]]]', captured: [] };
      const [failed] = await edit([[1, { type: 'update', by: failing }]]);
      expect(failed).to.deep.include({ result: 'failed', old: '{"by":1,"id":1,"n":42}' });
      expect(failed?.error?.message).to.equal('no');
    });

    it('returns what the query must evaluate, and takes its result while nothing has changed', async () => {
      await edit([[1, inserted({ id: 1 })]]);
      const fetch: Change = { type: 'fetch', replacesDamage: false };
      const [one, none] = await edit(
        [
          [1, fetch],
          [2, fetch],
        ],
        { documents: 'none' },
      );
      expect(one).to.deep.include({ result: 'returned', old: '{"id":1}' });
      expect(none).to.include({ result: 'returned' });
      const set = (outcome: EditOutcome | undefined, text: string): Change => ({
        type: 'compareAndSet',
        expected: outcome?.basis ?? { version: 0, generation: 0 },
        document: { text, isChecked: false },
      });
      const results = async (edits: readonly (readonly [number, Change])[]): Promise<unknown[]> =>
        (await edit(edits)).map(({ result }) => result);
      expect(
        await results([
          [1, set(one, '{"id":1,"v":1}')],
          [2, set(none, '{"id":2}')],
        ]),
      ).to.deep.equal(['replaced', 'inserted']);
      expect(
        await results([
          [1, set(one, '{"id":1,"v":2}')],
          [2, set(none, '{"id":2,"v":2}')],
        ]),
      ).to.deep.equal(['returned', 'returned']);
      expect(await results([[1, set(one, '{"id":7}')]])).to.deep.equal(['returned']);
      expect([await textOf(1), await textOf(2)]).to.deep.equal(['{"id":1,"v":1}', '{"id":2}']);
      const [again] = await edit([[1, fetch]]);
      expect(await results([[1, set(again, '{"id":7}')]])).to.deep.equal(['failed']);
    });

    it('expires a document whose time is over, and no other', async () => {
      const at = (seconds: number): object => ({
        $reql_type$: 'TIME',
        epoch_time: seconds,
        timezone: '+00:00',
      });
      await edit([
        [1, inserted({ id: 1, at: at(5) })],
        [2, inserted({ id: 2, at: at(6) })],
      ]);
      const change: Change = { type: 'expire', field: 'at', nowMs: 5_000 };
      const outcomes = await edit([
        [1, change],
        [2, change],
        [3, change],
      ]);
      expect(outcomes.map(({ result }) => result)).to.deep.equal([
        'deleted',
        'unchanged',
        'skipped',
      ]);
    });

    it('is scanned in the order of its keys, both ways and in ranges', async () => {
      await fill();
      const scan = async (range: EncodedRange, order: Order): Promise<unknown[]> =>
        ids(await drained(table.access.scan(range, order)));
      const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
      expect(await scan({}, 'ascending')).to.deep.equal(all);
      expect(await scan({}, 'descending')).to.deep.equal([...all].reverse());
      const range = { start: table.keyOf(2), end: table.keyOf(7) };
      expect(await scan(range, 'ascending')).to.deep.equal([2, 3, 4, 5, 6]);
      expect(await scan(range, 'descending')).to.deep.equal([6, 5, 4, 3, 2]);
      expect(await table.access.count()).to.equal(10);
    });

    it('is scanned in the order of an index, behind any row of it and up to any other', async () => {
      await fill();
      for (const order of ['ascending', 'descending'] as const) {
        const rows: IndexRow[] = await drained(table.access.scanIndex('group', {}, order));
        const wanted = [0, 3, 6, 9, 1, 4, 7, 2, 5, 8];
        expect(ids(rows)).to.deep.equal(order === 'ascending' ? wanted : [...wanted].reverse());
        for (const [at, row] of rows.entries()) {
          const rest = await drained(table.access.scanIndex('group', {}, order, { after: row }));
          expect(ids(rest)).to.deep.equal(ids(rows.slice(at + 1)));
          const first = await drained(table.access.scanIndex('group', {}, order, { until: row }));
          expect(ids(first)).to.deep.equal(ids(rows.slice(0, at + 1)));
        }
        const [after, until] = [rows[2], rows[7]];
        const between = await drained(table.access.scanIndex('group', {}, order, { after, until }));
        expect(ids(between)).to.deep.equal(ids(rows.slice(3, 8)));
      }
    });

    /** What a scan with operations comes to: rows that are left alone are evaluated by the test. */
    const pushedIds = async (
      pushed: Pick<PushedScan, 'steps'>,
      evaluate: (document: Numbered) => readonly unknown[],
      scan: (options: ScanOptions) => BatchSource<Row>,
    ): Promise<unknown[]> => {
      const options = { pushed: { ...pushed, fold: undefined, context } };
      const parts = await drained(scan(options), 1_000);
      return parts.flatMap(({ text, made }) => {
        if (made === undefined) return evaluate(JSON.parse(text) as Numbered);
        return made === 'kept'
          ? [JSON.parse(text)]
          : made.map((each) => JSON.parse(each) as unknown);
      });
    };
    const steps: PushedScan['steps'] = [
      { type: 'filter', by: { term: over('n', 21, [10, [9]]), captured }, skipsMissing: true },
      { type: 'map', by: { term: over('n', 27, [10, [9]]), captured } },
    ];
    /** Those of more than 2, as halves; what lacks a number is left out. */
    const evaluate = ({ n }: Numbered): readonly unknown[] =>
      n !== undefined && n > 2 ? [n / 2] : [];
    const fillNumbers = (): Promise<unknown> =>
      edit(
        Array.from({ length: 10 }, (_, id) => [
          id,
          inserted(id === 5 ? { id } : { group: id % 3, id, n: id }),
        ]),
      );

    it('is scanned with operations, in its order and in that of an index', async () => {
      await fillNumbers();
      const wanted = [1.5, 2, 3, 3.5, 4, 4.5];
      const byKey = await pushedIds({ steps }, evaluate, (options) =>
        table.access.scan({}, 'ascending', options),
      );
      expect(byKey).to.deep.equal(wanted);
      const back = await pushedIds({ steps }, evaluate, (options) =>
        table.access.scan({ end: table.keyOf(8) }, 'descending', options),
      );
      expect(back).to.deep.equal([3.5, 3, 2, 1.5]);
      const byGroup = await pushedIds({ steps }, evaluate, (options) =>
        table.access.scanIndex('group', {}, 'ascending', options),
      );
      expect(byGroup).to.deep.equal([1.5, 3, 4.5, 2, 3.5, 4]);
      const kept = await pushedIds(
        { steps: steps.slice(0, 1) },
        (document) => (evaluate(document).length > 0 ? [document] : []),
        (options) => table.access.scan({ end: table.keyOf(5) }, 'ascending', options),
      );
      expect(kept).to.deep.equal([
        { group: 0, id: 3, n: 3 },
        { group: 1, id: 4, n: 4 },
      ]);
    });

    it('goes on behind any part of a scan with operations', async () => {
      await fillNumbers();
      const pushed = { steps, fold: undefined, context };
      const parts = await drained(table.access.scanIndex('group', {}, 'ascending', { pushed }));
      const values = (some: readonly IndexRow[]): unknown[] =>
        some.flatMap(({ text, made }) =>
          typeof made === 'object' ? made.map(Number) : evaluate(JSON.parse(text) as Numbered),
        );
      for (const [at, after] of parts.entries()) {
        const rest = await drained(
          table.access.scanIndex('group', {}, 'ascending', { after, pushed }),
        );
        expect(values(rest)).to.deep.equal(values(parts.slice(at + 1)));
      }
    });

    it('leaves rows alone whose operations fail', async () => {
      await fillNumbers();
      const failing: PushedScan['steps'] = [
        { type: 'map', by: { term: over('n', 27, [10, [9]]), captured } },
      ];
      const pushed = { steps: failing, fold: undefined, context };
      const parts = await drained(table.access.scan({}, 'ascending', { pushed }));
      const left = parts.filter(({ made }) => made === undefined).map(({ text }) => text);
      expect(left).to.contain('{"id":5}');
    });

    it('folds its rows into states, and leaves the rest', async () => {
      await fillNumbers();
      const fold: ScanFold = {
        type: 'sum',
        by: { text: '"n"' },
        group: { by: [{ text: '"group"' }], multi: false },
      };
      const pushed = { steps: [], fold, context };
      const sums = new Map<unknown, number>();
      const add = (group: unknown, sum: number): void =>
        void sums.set(group, (sums.get(group) ?? 0) + sum);
      for (const { text, made } of await drained(table.access.scan({}, 'ascending', { pushed }))) {
        if (made === undefined) {
          const { group = null, n = 0 } = JSON.parse(text) as Numbered;
          add(group, n);
        } else {
          for (const state of made)
            for (const [group, sum] of JSON.parse(state) as [unknown, [number]?][])
              add(group, sum?.[0] ?? 0);
        }
      }
      expect(sums).to.deep.equal(
        new Map<unknown, number>([
          [0, 18],
          [1, 12],
          [null, 0],
          [2, 10],
        ]),
      );
    });

    it('ends a scan that is closed', async () => {
      await fill();
      const scan = table.access.scan({}, 'ascending');
      expect(await scan.next(limit, signal)).to.have.length(3);
      scan.close();
      expect(await scan.next(limit, signal)).to.equal(undefined);
    });
  });
}
