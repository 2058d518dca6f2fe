import { expect } from 'chai';
import { datasets, isoDate } from './datasets.ts';

const keyOf = (table: string, document: Readonly<Record<string, unknown>>): string =>
  JSON.stringify(document[datasets.find((each) => each.table === table)?.primaryKey ?? '']);

describe('the real data', () => {
  for (const dataset of datasets) {
    it(`gives every document of ${dataset.table} a key of its own`, () => {
      const documents = dataset.documents();
      const keys = new Set(documents.map((document) => keyOf(dataset.table, document)));
      expect(keys.has('undefined')).to.equal(false);
      expect(keys.size).to.equal(documents.length);
    });
  }

  it('has tens of thousands of documents', () => {
    const total = datasets.reduce((sum, dataset) => sum + dataset.documents().length, 0);
    expect(total).to.be.greaterThan(30_000);
  });

  it('leaves out what the source leaves empty, and keeps numbers as numbers', () => {
    const airport = datasets[1]?.documents()[0];
    expect(airport?.['iata']).to.equal('00M');
    expect(airport?.['latitude']).to.equal(31.95376472);
    const movie = datasets[0]?.documents()[0];
    expect(movie).to.include({ id: 1, title: 'The Land Girls', release_date: '1998-06-12' });
    expect(movie).not.to.have.property('director');
  });

  it('writes dates as ISO 8601, and leaves alone what is no date', () => {
    expect(isoDate('Aug 7 1998')).to.equal('1998-08-07');
    expect(isoDate('TBD')).to.equal('TBD');
  });
});
