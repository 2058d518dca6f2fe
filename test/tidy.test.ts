import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { machineNames, unusedExceptions } from './machine-names.ts';

/**
 * The rules of the house that no linter knows: which folder may import which (docs/ARCHITECTURE.md),
 * which folders are pure, and that nothing lies outside the table.
 */
const base = ['common', 'config', 'datum', 'wire', 'kv', 'disk'];
const data = [...base, 'table'];
const storageParts = ['integrity', 'apply', 'shard', 'maintenance', 'transfer'];
const metadataAndBelow = [...base, 'partition'];

const dataplane: Record<string, readonly string[]> = {
  common: [],
  config: ['common'],
  datum: ['common'],
  wire: ['common'],
  kv: ['common'],
  disk: ['common'],
  storage: base,
  wal: base,
  net: base,
  security: base,
  observability: base,
  workers: base,
  kubernetes: base,
  partition: ['common'],
  raft: ['common', 'wire'],
  gossip: ['common', 'wire'],
  table: ['common', 'datum', 'wire', 'kv', 'index', 'vector', 'timeseries'],
  metadata: metadataAndBelow,
  query: ['common', 'datum', 'wire', 'kv', 'index', 'vector', 'timeseries'],
  replication: [...base, 'raft', 'epaxos'],
  integrity: [...data, 'metadata', 'replication'],
  apply: [...data, 'metadata', 'replication', 'integrity'],
  shard: [...data, 'partition', 'replication', 'integrity', 'apply'],
  router: [...data, 'partition', 'replication', 'shard'],
  maintenance: [...data, 'metadata', 'replication', 'integrity', 'apply', 'shard'],
  transfer: [...data, 'partition', 'metadata', 'replication', 'integrity', 'apply', 'shard'],
  database: [...data, 'partition', 'metadata', 'replication', ...storageParts],
  'driver-protocol': ['common', 'datum', 'query'],
  http: ['common', 'datum', 'query', 'observability'],
  membership: [...base, 'gossip', 'net', 'security'],
  admin: ['common', 'config', 'gossip', 'metadata', 'database', 'membership', 'net', 'security'],
  node: ['*'],
};

const operator: Record<string, readonly string[]> = {
  api: [],
  resources: ['api'],
  rollout: ['api'],
  status: ['api'],
  controller: [],
  kube: ['api'],
  photon: ['api'],
  observability: [],
  authority: ['api', 'controller', 'kube', 'observability', 'resources', 'rollout'],
  cluster: ['*'],
};

/** Folders without I/O, clocks or chance: everything that they need is handed to them. */
const pure = new Set([
  ...[
    'common',
    'datum',
    'wire',
    'kv',
    'raft',
    'gossip',
    'table',
    'metadata',
    'partition',
    'query',
    'router',
  ].map((n) => `dataplane/${n}`),
  ...['api', 'resources', 'rollout', 'status'].map((n) => `operator/${n}`),
]);

/** What a pure folder may import from outside: deterministic functions only. */
const deterministic: Record<string, readonly string[]> = {
  'dataplane/common': ['node:zlib', 'node:crypto', 'node:buffer'],
  'dataplane/query': ['re2js'],
};

/** Programs that stand in a pure folder and are run by hand: they are not part of the product. */
const programs = new Set(['operator/api/generate.ts']);

const isTest = (path: string): boolean =>
  /\.(test|compliance|bench)\.ts$/.test(path) || path.includes('/testing/');

const sources = globSync('{dataplane,operator}/**/*.ts')
  .filter((path) => !isTest(path) && !programs.has(path) && !path.includes('/generated/'))
  .sort();

function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.length === 2 ? `${parts[0]}` : `${parts[0]}/${parts[1]}`;
}

function* importsOf(path: string): Generator<string> {
  const text = readFileSync(path, 'utf8');
  for (const match of text.matchAll(/^\s*(?:import|export)\b[^;]*?from\s*'([^']+)'/gm)) {
    // Types of a package are not there when the program runs.
    const onlyTypes = /^\s*import type\b/.test(match[0]) && match[1]?.startsWith('.') === false;
    if (match[1] !== undefined && !onlyTypes) yield match[1];
  }
  for (const match of text.matchAll(/\bimport\s*\(?\s*'([^']+)'/g)) {
    if (match[1] !== undefined) yield match[1];
  }
}

function allowed(from: string): readonly string[] | undefined {
  const [program, folder] = from.split('/');
  const table = program === 'dataplane' ? dataplane : operator;
  if (folder === undefined) return program === 'operator' ? ['*'] : undefined;
  return Object.hasOwn(table, folder) ? table[folder] : undefined;
}

function outsideComplaint(path: string, from: string, target: string): string | undefined {
  if (!pure.has(from) || (deterministic[from] ?? []).includes(target)) return undefined;
  return `${path}: pure folder imports ${target}`;
}

function complaint(path: string, target: string): string | undefined {
  const from = folderOf(path);
  const may = allowed(from);
  if (may === undefined) return `${path}: folder ${from} is not in the table`;
  if (!target.startsWith('.')) return outsideComplaint(path, from, target);
  const to = folderOf(normalize(join(dirname(path), target)));
  if (to === from) return undefined;
  if (to === 'dataplane/node') return `${path}: nobody imports dataplane/node`;
  const [program, folder] = to.split('/');
  if (program !== from.split('/')[0]) return `${path}: ${from} -> ${to}`;
  return may.includes('*') || (folder !== undefined && may.includes(folder))
    ? undefined
    : `${path}: ${from} -> ${to}`;
}

/** A cycle of imports between files, of values or types, as a readable path; undefined when there is none. */
function findCycle(): string | undefined {
  const edges = new Map<string, string[]>();
  for (const path of sources) {
    const text = readFileSync(path, 'utf8');
    const targets = [...text.matchAll(/from\s*'(\.[^']+)'/g)].map((match) =>
      normalize(join(dirname(path), match[1] ?? '')),
    );
    edges.set(path, targets);
  }
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(' -> ');
    if (done.has(path)) return undefined;
    for (const next of edges.get(path) ?? []) {
      const found = visit(next, [...trail, path]);
      if (found !== undefined) return found;
    }
    done.add(path);
    return undefined;
  };
  for (const path of sources) {
    const found = visit(path, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe('the house', function house() {
  // Reads every source, on a machine that may be busy.
  this.timeout(20_000);

  it('has imports that follow the arrows', () => {
    expect(sources.length).to.be.greaterThan(0);
    const complaints = sources.flatMap((path) =>
      [...importsOf(path)].map((target) => complaint(path, target)),
    );
    expect(complaints.filter((line) => line !== undefined)).to.deep.equal([]);
  });

  it('has no cycle of imports', () => {
    expect(findCycle()).to.equal(undefined);
  });

  it('notices a wrong arrow, a foreign program, an impure import and an unknown folder', () => {
    expect(complaint('dataplane/datum/x.ts', '../wal/y.ts')).to.contain('datum -> dataplane/wal');
    expect(complaint('operator/kube/x.ts', '../../dataplane/common/y.ts')).to.contain('->');
    expect(complaint('dataplane/query/x.ts', 'node:fs')).to.contain('pure folder');
    expect(complaint('dataplane/helpers/x.ts', './y.ts')).to.contain('not in the table');
    expect(complaint('dataplane/http/x.ts', '../node/y.ts')).to.contain('nobody imports');
    expect(complaint('dataplane/storage/x.ts', '../kv/store.ts')).to.equal(undefined);
  });

  it('leaves the clock, the timers and the chance of the machine to the node', () => {
    const paths = sources.filter((path) => path.startsWith('dataplane/'));
    const found = paths.flatMap((path) => machineNames(path, readFileSync(path, 'utf8')));
    expect(found).to.deep.equal([]);
    expect(unusedExceptions((path) => readFileSync(path, 'utf8'))).to.deep.equal([]);
  });

  it('notices a clock, a timer and chance of the machine, but not in comments', () => {
    const of = (text: string): string[] =>
      machineNames('dataplane/wal/x.ts', text).map((line) => line.replace(/^.*: /, ''));
    expect(of('const at = Date.now();')).to.deep.equal(['Date.now']);
    expect(of('const at = new Date();')).to.deep.equal(['new Date()']);
    expect(of("import { setTimeout as sleep } from 'node:timers/promises';")).to.deep.equal([
      'node:timers',
    ]);
    expect(of('globalThis; setImmediate(() => run());')).to.deep.equal(['timers']);
    expect(of('socket.setTimeout(5); new Date(ms);')).to.deep.equal([]);
    expect(of("import { randomBytes } from 'node:crypto';")).to.deep.equal(['crypto']);
    expect(of('/** Not Math.random. */\n  // nor Date.now\n')).to.deep.equal([]);
    expect(machineNames('dataplane/node/x.ts', 'Date.now()')).to.deep.equal([]);
  });

  it('keeps to the folders of the architecture', () => {
    const top = new Set(
      globSync('*', { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
        .map((entry) => entry.name),
    );
    for (const name of ['operator', 'dataplane', 'crds', 'helm', 'k8s', 'test', 'docs'])
      top.delete(name);
    expect([...top]).to.deep.equal([]);
  });

  it('drops no failure of the write path', () => {
    const swallowed = /\.catch\(\s*\(\w*\)\s*=>\s*(?:undefined|null|\{\s*\})\s*\)/;
    const own = ['replication', ...storageParts, 'database', 'wal', 'table'];
    const lint = JSON.parse(readFileSync('.oxlintrc.json', 'utf8')) as {
      readonly overrides: readonly { readonly files: readonly string[]; readonly rules: object }[];
    };
    const strict = lint.overrides.find(
      ({ rules }) => 'typescript/no-floating-promises' in rules,
    )?.files;
    expect(strict, 'folders without floating promises').to.deep.equal([
      `dataplane/{${[...own, 'storage'].join(',')}}/**`,
    ]);
    const paths = globSync(`dataplane/{${own.join(',')}}/**/*.ts`).filter((path) => !isTest(path));
    expect(paths.filter((path) => swallowed.test(readFileSync(path, 'utf8')))).to.deep.equal([]);
  });

  it('runs no install scripts and takes the client library only in a version whose watches live', () => {
    expect(readFileSync('.npmrc', 'utf8')).to.match(/^ignore-scripts=true$/m);
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { version?: string; resolved?: string }>;
    };
    const [major, minor, patch] = (
      lock.packages['node_modules/@kubernetes/client-node']?.version ?? '0.0.0'
    )
      .split('.')
      .map(Number);
    expect([major, (minor ?? 0) > 0 || (patch ?? 0) >= 1]).to.deep.equal([2, true]);
  });

  it('has the docstring of a class on the class, not on its options', () => {
    const misplaced = sources.filter((path) => {
      const text = readFileSync(path, 'utf8');
      const above = [...text.matchAll(/\*\/\n(?:export )?interface (\w+?)(?:Options|Parts)\b/g)];
      return above.some(([, name]) => new RegExp(`[^/]\\n\\nexport class ${name}\\b`).test(text));
    });
    expect(misplaced).to.deep.equal([]);
  });

  it('names an issue behind each thing that is left to do', () => {
    const marks = globSync('{dataplane,operator,test,k8s}/**/*.{ts,js,go}').filter(
      (path) =>
        path !== 'test/tidy.test.ts' &&
        /\b(TODO|FIXME)\b(?!\(#\d+\))/.test(readFileSync(path, 'utf8')),
    );
    expect(marks).to.deep.equal([]);
  });
});
