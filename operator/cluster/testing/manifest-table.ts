/** A table of the documentation that a test makes: between two marks, and compared with what is there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const page = join(import.meta.dirname, '..', '..', '..', 'docs', 'internals', 'operator.md');
const mustUpdate = process.env['PHOTONDB_TEST_UPDATE'] === '1';

export interface Row {
  readonly manifest: string;
  readonly sees: string;
}

/** A field by its path, as errors of Kubernetes spell it. */
function* leaves(value: unknown, path: string): Generator<string> {
  if (Array.isArray(value) && value.length > 0) {
    for (const [index, each] of value.entries()) yield* leaves(each, `${path}[${index}]`);
  } else if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    for (const [key, field] of Object.entries(value)) {
      const step = /^[A-Za-z][\w-]*$/.test(key) ? `.${key}` : `[${key}]`;
      yield* leaves(field, path + step);
    }
  } else {
    yield value === null ? `no ${path}` : `${path}: ${JSON.stringify(value)}`;
  }
}

/** What a manifest says that an ordinary one does not. */
export function differences({ pool, spec }: { pool?: object; spec?: object }): readonly string[] {
  return [
    ...(spec === undefined ? [] : leaves(spec, 'spec')),
    ...(pool === undefined ? [] : leaves(pool, 'spec.pools[0]')),
  ];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll(/\s+/g, ' ').trim();
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ manifest, sees }) => `| ${cell(manifest)} | ${cell(sees)} |`);
  return ['| the manifest says | the user sees |', '| --- | --- |', ...lines].join('\n');
}

/** The table between the marks of the page, and what it should be; written when that is asked for. */
export function compareTable(
  mark: string,
  rows: readonly Row[],
): { readonly is: string; readonly wanted: string } {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = [`<!-- ${mark}: made by a test -->\n`, `\n<!-- end of ${mark} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no marks for "${mark}"`);
  const wanted = tableOf(rows);
  const before = text.slice(0, from + begin.length);
  if (mustUpdate) writeFileSync(page, before + wanted + text.slice(to));
  const is = mustUpdate ? wanted : text.slice(before.length, to);
  return { is, wanted };
}
