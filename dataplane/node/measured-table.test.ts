import { expect } from 'chai';
import type { BatchSource, IndexRow, TableAccess } from '../wire/table-access.ts';
import { measuredTables } from './measured-table.ts';

const { signal } = new AbortController();
const limit = { rows: 2, bytes: 1_000 };
const row = (text: string): IndexRow => ({
  key: Buffer.from('k'),
  text,
  indexKey: Buffer.from(''),
});

/** A table whose scans give these batches. */
function tableOf(batches: readonly (readonly IndexRow[])[]): TableAccess {
  const source = (): BatchSource<IndexRow> => {
    const left = [...batches];
    return { next: async () => left.shift(), close: () => void left.splice(0) };
  };
  const none = async (): Promise<never> => {
    throw new Error('it is not asked for');
  };
  const scans = { scan: source, scanIndex: source };
  return { ...scans, get: () => row('found'), count: async () => 3, edit: none, sync: none };
}

describe('the measurement of scans', () => {
  const scanned: (readonly [number, number])[] = [];
  const recorder = { scanned: (rows: number, bytes: number) => void scanned.push([rows, bytes]) };
  const tables = measuredTables(
    (id) => (id === 't' ? tableOf([[row('ab'), row('c')], [row('def')]]) : undefined),
    recorder,
  );
  beforeEach(() => void scanned.splice(0));

  it('counts a scan once, when it has ended or is closed', async () => {
    const whole = tables('t')?.scan({}, 'ascending');
    while ((await whole?.next(limit, signal)) !== undefined);
    whole?.close();
    expect(scanned).to.deep.equal([[3, 9]]);
    const cut = tables('t')?.scanIndex('i', {}, 'ascending');
    await cut?.next(limit, signal);
    cut?.close();
    expect(scanned[1]).to.deep.equal([2, 5]);
  });

  it('counts results that come in place of rows, and nothing for rows that are left out', async () => {
    const part = { ...row(''), made: ['1', '22'] };
    const nothing = { ...row(''), made: [] };
    const evaluated = measuredTables(() => tableOf([[part, nothing]]), recorder);
    const scan = evaluated('t')?.scan({}, 'ascending');
    while ((await scan?.next(limit, signal)) !== undefined);
    expect(scanned).to.deep.equal([[2, 5]]);
  });

  it('leaves everything else as it is', async () => {
    expect(tables('other')).to.equal(undefined);
    const table = tables('t');
    expect(table?.get(Buffer.from('k'), { signal })).to.deep.equal(row('found'));
    expect(await table?.count()).to.equal(3);
    expect(scanned).to.deep.equal([]);
  });
});
