import { globSync } from 'node:fs';

/**
 * Expressions that the project does not use: private dialect, and former names of things that have an established
 * one. CONTRIBUTING.md lists the terms that it uses.
 */
interface Avoided {
  readonly pattern: RegExp;
  readonly instead: string;
}

const expressions: readonly Avoided[] = [
  { pattern: /\banew\b/i, instead: 'again, or a verb with re-: rebuild, recreate, recompute' },
  { pattern: /\bfor ever\b/i, instead: 'forever, permanently, indefinitely' },
  { pattern: /\bby (?:itself|themselves)\b/i, instead: 'automatically, on its own' },
  { pattern: /\bin vain\b/i, instead: 'without success' },
  { pattern: /\bhears? of\b|\bheard of\b/i, instead: 'is notified of, is called with' },
  { pattern: /\b(?:is|are|was|were|be|been|being) told\b/i, instead: 'is notified, receives' },
  { pattern: /\bgo(?:es)? on when\b/i, instead: 'continues when, resumes when' },
  { pattern: /\bbears?\b(?! in mind)/i, instead: 'has, carries' },
  { pattern: /\bcuts? across\b/i, instead: 'cross-cutting' },
  { pattern: /^## (?:Situation|Other ways)$/m, instead: 'Context, Alternatives' },
  { pattern: /\bof a node that does not run\b/i, instead: 'offline; of a stopped node' },
  { pattern: /\bdocuments that end\b/i, instead: 'document TTL, expiry' },
  { pattern: /\bbeside other programs\b/i, instead: 'comparative benchmarks' },
  { pattern: /\bthe long proofs\b/i, instead: 'soak tests' },
];

const names: readonly Avoided[] = [
  {
    pattern: /\b(?:WalHold|TableGroup|lookAgainMs|LeaseSighting|\w*World|\w*Special|polite)\b/,
    instead: 'see CONTRIBUTING.md',
  },
  { pattern: /\bintegrity\.(?:meet|mark)\b/, instead: 'CorruptionRegistry.report, quarantine' },
];

/** Files that quote the expressions. */
const quoting = new Set(['test/language.ts', 'test/docs.test.ts']);

/** What the rules hold for. */
export const languagePaths = (): string[] =>
  globSync([
    '*.md',
    'docs/**/*.md',
    'crds/**/*.yaml',
    // Not the Go program: its sources are the key of a build of 20 minutes.
    'helm/**/*.{yaml,tpl,txt,json}',
    'k8s/**/*.{yaml,ts,js}',
    '{operator,dataplane,test}/**/*.{ts,js,py,go}',
  ])
    .filter((path) => !quoting.has(path) && !/node_modules|\/generated\/|CHANGELOG/.test(path))
    .sort();

/** Each use with its line and what to write instead. */
export function avoidedIn(path: string, text: string): string[] {
  return [...expressions, ...names].flatMap(({ pattern, instead }) => {
    const all = new RegExp(pattern.source, `${pattern.flags}g`);
    return [...text.matchAll(all)].map((match) => {
      const line = text.slice(0, match.index).split('\n').length;
      return `${path}:${line}: "${match[0]}"; write ${instead}`;
    });
  });
}
