import { expect } from 'chai';

/** Documents by key; the text stands for the whole document. */
export type Rows = Map<string, string>;
/** What one entry of the log changes; undefined deletes. */
export type Change = Map<string, string | undefined>;

/**
 * What somebody outside knows of a table: its documents, and the entries that were sent since, in the
 * order of the table's log. Guarded invariant: after a crash the table is what some first entries
 * make, at least those up to the last that was acknowledged as durable; none in part.
 */
export class TableModel {
  #base: Rows = new Map();
  #newest: Rows = new Map();
  #sent: Change[] = [];
  #durable = 0;
  #isKnown = true;

  /** Of a copy nobody knows which state it has until somebody looks. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Entries that everybody sees by now. */
  get certainEntries(): number {
    return this.#durable;
  }

  /** A table that has what this one had at some moment since so many entries. */
  between(entries: number): TableModel {
    const copy = new TableModel();
    copy.#isKnown = false;
    copy.#base = new Map(this.#base);
    copy.#sent = [...this.#sent];
    copy.#durable = entries;
    return copy;
  }

  newest(key: string): string | undefined {
    return this.#newest.get(key);
  }

  /** The next entry of the log; what it changes is added while it is made. */
  begin(): Change {
    const change: Change = new Map();
    this.#sent.push(change);
    return change;
  }

  set(change: Change, key: string, text: string | undefined): void {
    change.set(key, text);
    assign(this.#newest, key, text);
  }

  /** An entry was acknowledged: those before it are durable with it. */
  acknowledged(change: Change): void {
    this.#durable = Math.max(this.#durable, this.#sent.indexOf(change) + 1);
  }

  /** Fails when `found` is nothing that a crash may leave; goes on from it otherwise. */
  adopt(found: Rows, about: string): void {
    const rows = new Map(this.#base);
    let entries = 0;
    const isFound = (): boolean => entries >= this.#durable && isSame(rows, found);
    while (!isFound() && entries < this.#sent.length) {
      for (const [key, text] of this.#sent[entries] ?? []) assign(rows, key, text);
      entries += 1;
    }
    if (!isFound()) this.#explain(found, about);
    this.#base = found;
    this.#newest = new Map(found);
    this.#sent = [];
    this.#durable = 0;
    this.#isKnown = true;
  }

  #explain(found: Rows, about: string): never {
    const durable = new Map(this.#base);
    for (const change of this.#sent.slice(0, this.#durable)) {
      for (const [key, text] of change) assign(durable, key, text);
    }
    expect(Object.fromEntries(found), about).to.deep.equal(Object.fromEntries(durable));
    throw new Error(`${about}: unreachable`);
  }
}

function assign(rows: Rows, key: string, text: string | undefined): void {
  if (text === undefined) rows.delete(key);
  else rows.set(key, text);
}

const isSame = (a: Rows, b: Rows): boolean =>
  a.size === b.size && [...a].every(([key, text]) => b.get(key) === text);

/** Names of tables, each with the names of its indexes. */
export type Schema = ReadonlyMap<string, readonly string[]>;

const textOf = (schema: Schema): string =>
  [...schema]
    .map(([table, indexes]) => `${table}(${[...indexes].sort().join(' ')})`)
    .sort()
    .join(' ');

/** The same for tables and indexes, which change one after the other. */
export class SchemaModel {
  #states: Schema[] = [new Map()];
  #durable = 0;

  get newest(): Schema {
    return this.#states.at(-1) ?? new Map();
  }

  sent(schema: Schema): void {
    this.#states.push(schema);
  }

  /** All that was sent. */
  acknowledged(): void {
    this.#durable = this.#states.length - 1;
  }

  adopt(found: Schema, about: string): void {
    const possible = this.#states.slice(this.#durable).map(textOf);
    expect(possible, `${about}: tables and indexes`).to.include(textOf(found));
    this.#states = [found];
    this.#durable = 0;
  }
}
