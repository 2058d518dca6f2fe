import { readFileSync } from 'node:fs';

/** One case of a polyglot file, for the Python driver: everything is Python source text. */
export interface Case {
  /** Line of the file where the case begins, from 1. */
  readonly line: number;
  /** `define` binds a name to a query that is not run; `run` runs `source`. */
  readonly kind: 'define' | 'run';
  readonly source: string;
  /** What it must give; undefined accepts everything that is no error. */
  readonly expected: string | undefined;
  readonly options: Readonly<Record<string, string>>;
}

export interface CaseFile {
  readonly tables: readonly string[];
  readonly cases: readonly Case[];
}

type Block = string | readonly Block[] | ReadonlyMap<string, Block>;

interface Line {
  readonly number: number;
  readonly column: number;
  readonly text: string;
}

const keyPattern = /^([A-Za-z_]+):(?:\s+(.*))?$/;

/**
 * Reads a file. The files look like YAML, but their values are source text with colons and quotes
 * that no YAML reader takes as they are: only the structure (indentation, keys, dashes) counts.
 */
export function readCases(path: string): CaseFile {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .map((text, at) => ({ number: at + 1, column: text.search(/\S|$/), text: text.trim() }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
  const begin = lines.findIndex(({ text }) => text === 'tests:');
  const names = lines.find(({ text }) => text.startsWith('table_variable_name:'))?.text ?? '';
  return {
    tables: names
      .replace('table_variable_name:', '')
      .split(/[\s,]+/)
      .filter(Boolean),
    cases: begin < 0 ? [] : items(lines.slice(begin + 1)).flatMap(casesOf),
  };
}

/** The lines of each item of a list, without its dash. */
function items(lines: readonly Line[]): Line[][] {
  const column = lines[0]?.column ?? 0;
  const groups: Line[][] = [];
  for (const line of lines) {
    const dash = line.column <= column && /^-(\s|$)/.test(line.text);
    if (!dash) groups.at(-1)?.push(line);
    else {
      const text = line.text.slice(1).trim();
      const inner = line.column + Math.max(2, line.text.length - text.length);
      groups.push(text === '' ? [] : [{ ...line, column: inner, text }]);
    }
  }
  return groups;
}

function mapOf(lines: readonly Line[]): Map<string, Block> {
  const column = lines[0]?.column ?? 0;
  const parts: { key: string; first: string; rest: Line[] }[] = [];
  for (const line of lines) {
    const match = line.column <= column ? keyPattern.exec(line.text) : null;
    if (match === null) parts.at(-1)?.rest.push(line);
    else parts.push({ key: match[1] ?? '', first: match[2] ?? '', rest: [] });
  }
  return new Map(parts.map(({ key, first, rest }) => [key, blockOf(first, rest)]));
}

function blockOf(first: string, rest: readonly Line[]): Block {
  const inline = first.replace(/\s#[^'"]*$/, '');
  if (inline !== '' && inline !== '|') return [inline, ...rest.map(({ text }) => text)].join('\n');
  const [next] = rest;
  if (next === undefined || inline === '|') return rest.map(({ text }) => text).join('\n');
  if (/^-\s/.test(next.text))
    return items(rest).map(([head, ...more]) => blockOf(head?.text ?? '', more));
  if (keyPattern.test(next.text)) return mapOf(rest);
  return rest.map(({ text }) => text).join('\n');
}

/** Of a value by language the Python one; of a list all. */
function sources(block: Block | undefined): string[] {
  if (block === undefined || block === '') return [];
  if (typeof block === 'string') return [block];
  if (block instanceof Map) return sources(block.get('py') ?? block.get('cd'));
  return (block as readonly Block[]).flatMap(sources);
}

function casesOf(lines: readonly Line[]): Case[] {
  const test = mapOf(lines);
  const line = lines[0]?.number ?? 0;
  const given = test.get('runopts');
  const options =
    given instanceof Map
      ? Object.fromEntries([...given].map(([key, value]) => [String(key), String(value)]))
      : {};
  const [expected] = sources(test.get('ot'));
  const of = (kind: Case['kind'], key: Block | undefined): Case[] =>
    sources(key).map((source) => ({ line, kind, source, expected, options }));
  return [...of('define', test.get('def')), ...of('run', test.get('py') ?? test.get('cd'))];
}
