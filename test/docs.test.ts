import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { avoidedIn, languagePaths } from './language.ts';
import { parseAllDocuments } from 'yaml';

/**
 * The documents as a reader meets them: links lead somewhere, examples can be pasted, commands exist.
 */
const root = join(import.meta.dirname, '..');
const columnsMax = 120;

const documents = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('docs/**/*.md', { cwd: root }),
].sort();

interface Fence {
  readonly language: string;
  readonly text: string;
}

interface Document {
  readonly path: string;
  /** The text without what stands in fences. */
  readonly prose: string;
  readonly fences: readonly Fence[];
}

function readDocument(path: string, text: string): Document {
  const prose: string[] = [];
  const fences: Fence[] = [];
  let open: { language: string; lines: string[] } | undefined;
  for (const line of text.split('\n')) {
    const mark = /^\s*```(\w*)/.exec(line);
    if (mark !== null && open === undefined) open = { language: mark[1] ?? '', lines: [] };
    else if (mark !== null && open !== undefined) {
      fences.push({ language: open.language, text: open.lines.join('\n') });
      open = undefined;
    } else if (open === undefined) prose.push(line);
    else open.lines.push(line);
  }
  return { path, prose: prose.join('\n'), fences };
}

/** The anchor of a heading, as repository hosts make it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
    .replaceAll(' ', '-');

const headingsOf = ({ prose }: Document): string[] =>
  [...prose.matchAll(/^#+ (.*)$/gm)].map((match) => match[1] ?? '');

const all = documents.map((path) => readDocument(path, readFileSync(join(root, path), 'utf8')));

function brokenLinks(document: Document): string[] {
  const targets = [...document.prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  return targets.filter((target) => {
    if (/^(https?|mailto):/.test(target)) return false;
    const [file = '', anchor] = target.split('#');
    const path = file === '' ? document.path : join(dirname(document.path), file);
    if (!existsSync(join(root, path))) return true;
    if (anchor === undefined) return false;
    const linked = all.find((each) => each.path === path);
    return linked === undefined || !headingsOf(linked).map(anchorOf).includes(anchor);
  });
}

function faultyFence({ language, text }: Fence): string | undefined {
  try {
    if (language === 'json') JSON.parse(text);
    if (language !== 'yaml') return undefined;
    return parseAllDocuments(text).flatMap(({ errors }) => errors.map(String))[0];
  } catch (error) {
    return String(error);
  }
}

/** Rows of tables, long commands within a sentence, and the pages that a program writes. */
const cannotBreak = (path: string, line: string): boolean =>
  line.startsWith('|') || /`[^`]{40,}`/.test(line) || path.startsWith('docs/reference/');

describe('the documents', () => {
  it('are there', () => {
    expect(documents).to.include.members([
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'docs/ARCHITECTURE.md',
      'docs/known-limits.md',
      'docs/quick-start.md',
    ]);
    expect(existsSync(join(root, 'LICENSE'))).to.equal(true);
  });

  for (const document of all) {
    describe(document.path, () => {
      it('has one title, and it comes first', () => {
        const titles = document.prose.match(/^# .*$/gm) ?? [];
        expect(titles).to.have.length(1);
        const visible = document.prose.replaceAll(/<!--.*?-->/gs, '').trimStart();
        expect(visible.startsWith('# ')).to.equal(true);
      });

      it('has links that lead somewhere', () => {
        expect(brokenLinks(document)).to.deep.equal([]);
      });

      it('has examples that parse', () => {
        expect(document.fences.map(faultyFence).filter(Boolean)).to.deep.equal([]);
      });

      it('closes its fences, and keeps its lines short', () => {
        expect(document.prose).to.not.contain('```');
        const long = document.prose
          .split('\n')
          .filter((line) => line.length > columnsMax && !cannotBreak(document.path, line));
        expect(long).to.deep.equal([]);
      });
    });
  }

  it('name only commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const unknown = documents.flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const named = [...text.matchAll(/\bnpm run ([a-z][a-z:-]*)/g)].map((match) => match[1] ?? '');
      return named
        .filter((name) => !Object.hasOwn(scripts, name))
        .map((name) => `${path}: ${name}`);
    });
    expect(unknown).to.deep.equal([]);
  });

  it('name only files of the repository that exist', () => {
    const places = /`((?:helm|k8s|crds|test|docs|operator|dataplane)\/[\w./-]+\.\w+)`/g;
    const missing = documents.flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return [...text.matchAll(places)]
        .map((match) => match[1] ?? '')
        .filter((file) => !existsSync(join(root, file)))
        .map((file) => `${path}: ${file}`);
    });
    expect(missing).to.deep.equal([]);
  });

  it('have a line for every decision in the list of decisions', () => {
    const list = readFileSync(join(root, 'docs/adr/README.md'), 'utf8');
    const unlisted = globSync('[0-9]*.md', { cwd: join(root, 'docs/adr') }).filter(
      (file) => !list.includes(file),
    );
    expect(unlisted).to.deep.equal([]);
  });

  it('and sources avoid private dialect and former names', () => {
    const found = languagePaths().flatMap((path) =>
      avoidedIn(path, readFileSync(join(root, path), 'utf8')),
    );
    expect(found).to.deep.equal([]);
  });

  it('are refused an expression to avoid, with its line and what to write instead', () => {
    expect(avoidedIn('x.md', 'One line.\nAn index is built anew.')).to.deep.equal([
      'x.md:2: "anew"; write again, or a verb with re-: rebuild, recreate, recompute',
    ]);
    expect(avoidedIn('x.ts', '// It is rebuilt.')).to.deep.equal([]);
  });
});
