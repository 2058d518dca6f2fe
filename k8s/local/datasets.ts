import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { csvParse } from 'd3-dsv';

/**
 * The real data that `up` loads: tables of the npm package `vega-datasets`, turned into documents.
 * Every document has a primary key that follows from its source, so that loading twice changes
 * nothing. Fields keep the names of the source in lower snake case; numbers are numbers, dates are
 * ISO 8601 text, and what the source leaves empty is left out.
 */
export interface Dataset {
  readonly table: string;
  readonly primaryKey: string;
  /** Secondary indexes: of one field, or of several (compound). */
  readonly indexes: readonly { readonly name: string; readonly fields: readonly string[] }[];
  documents(): readonly Document[];
}

type Value = string | number | boolean | readonly Value[];
export type Document = Readonly<Record<string, Value>>;

const folder = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `Jun 12 1998` -> `1998-06-12`. */
export function isoDate(text: string): string {
  const [month = '', day = '', year = ''] = text.trim().split(/\s+/);
  const number = months.indexOf(month) + 1;
  if (number === 0 || !/^\d{1,2}$/.test(day) || !/^\d{4}$/.test(year)) return text;
  return `${year}-${String(number).padStart(2, '0')}-${day.padStart(2, '0')}`;
}

const snake = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_');

/** A record of the source without its empty fields. */
function present(fields: Readonly<Record<string, unknown>>): Record<string, Value> {
  const entries = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  return Object.fromEntries(entries.map(([name, value]) => [snake(name), value as Value]));
}

function numbers(fields: Record<string, Value>, names: readonly string[]): Record<string, Value> {
  for (const name of names) {
    if (fields[name] !== undefined) fields[name] = Number(fields[name]);
  }
  return fields;
}

function movies(): Document[] {
  const source = JSON.parse(read('movies.json')) as Record<string, unknown>[];
  return source.map((movie, position) => {
    const fields = present(movie);
    if (fields['title'] !== undefined) fields['title'] = String(fields['title']);
    const released = fields['release_date'];
    if (typeof released === 'string') fields['release_date'] = isoDate(released);
    return { id: position + 1, ...fields };
  });
}

function airports(): Document[] {
  return csvParse(read('airports.csv')).map((row) =>
    numbers(present(row), ['latitude', 'longitude']),
  );
}

function flights(): Document[] {
  const source = JSON.parse(read('flights-20k.json')) as Record<string, Value>[];
  return source.map((flight, position) => ({
    id: position + 1,
    ...flight,
    date: String(flight['date']).replaceAll('/', '-').replace(' ', 'T'),
  }));
}

function stocks(): Document[] {
  return csvParse(read('stocks.csv')).map((row) => {
    const date = isoDate(row['date'] ?? '');
    return { ...numbers(present(row), ['price']), date, id: [row['symbol'] ?? '', date] };
  });
}

function weather(): Document[] {
  return csvParse(read('weather.csv')).map((row) => ({
    ...numbers(present(row), ['precipitation', 'temp_max', 'temp_min', 'wind']),
    id: [row['location'] ?? '', row['date'] ?? ''],
  }));
}

const byField = (...names: string[]): { name: string; fields: string[] }[] =>
  names.map((name) => ({ name, fields: [name] }));

export const datasets: readonly Dataset[] = [
  {
    table: 'movies',
    primaryKey: 'id',
    indexes: byField('director', 'imdb_rating', 'major_genre'),
    documents: movies,
  },
  { table: 'airports', primaryKey: 'iata', indexes: byField('state'), documents: airports },
  {
    table: 'flights',
    primaryKey: 'id',
    indexes: [...byField('origin'), { name: 'route', fields: ['origin', 'destination'] }],
    documents: flights,
  },
  { table: 'stocks', primaryKey: 'id', indexes: byField('symbol'), documents: stocks },
  { table: 'weather', primaryKey: 'id', indexes: byField('location'), documents: weather },
];
