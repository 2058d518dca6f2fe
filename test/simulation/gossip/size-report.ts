import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { svgOf } from '../line-chart.ts';
import type { Line } from '../line-chart.ts';
import { runSize } from './sizes.ts';

/**
 * Detection, convergence and load over the size of the cluster: the table of docs/internals/gossip.md, and its
 * charts, which are made from the table.
 */
const folder = join(import.meta.dirname, '..', '..', '..', 'docs', 'internals');
const documentFile = join(folder, 'gossip.md');

/** The columns of the table, and how many seconds or messages they have at each size. */
const columns = [
  'nodes',
  'runs',
  'suspected, s',
  'declared dead, s',
  'dead everywhere, s',
  'left everywhere, s',
  'messages',
  'most messages',
] as const;
const begin = '<!-- sizes: begin -->';
const end = '<!-- sizes: end -->';

export const reportedSizes: readonly number[] = [3, 10, 32, 100, 316, 1_000, 3_162, 10_000];
/** Runs of each size: time and memory grow with the square of it. */
const runsOf = (nodes: number): number => (nodes <= 100 ? 15 : nodes <= 1_000 ? 5 : 1);

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function rowOf(nodes: number): string {
  const runs = Array.from({ length: runsOf(nodes) }, (_, at) => runSize(nodes, at + 1));
  const seconds = (of: (run: (typeof runs)[number]) => number): string =>
    (median(runs.map(of)) / 1_000).toFixed(2);
  const cells = [
    nodes.toLocaleString('en'),
    runs.length,
    seconds((run) => run.suspectedMs),
    seconds((run) => run.deadMs),
    seconds((run) => run.deadEverywhereMs),
    seconds((run) => run.leftEverywhereMs),
    median(runs.map((run) => run.messages)).toFixed(1),
    Math.max(...runs.map((run) => run.messagesMost)),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Rows of numbers, as the document has them. */
export function reportedRows(): readonly (readonly number[])[] {
  const [, rest = ''] = readFileSync(documentFile, 'utf8').split(begin);
  const [text = ''] = rest.split(end);
  return text
    .split('\n')
    .filter((line) => /^\| [\d,]+ /.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => Number(cell.replaceAll(',', ''))),
    );
}

const lineOf = (name: (typeof columns)[number], title: string): Line => ({
  name: title,
  points: reportedRows().map((row) => ({ x: row[0] ?? 0, y: row[columns.indexOf(name)] ?? 0 })),
});

/** By the name of the file beside the document. */
export const charts = (): Readonly<Record<string, string>> => ({
  'gossip-times.svg': svgOf({
    title: 'Detection and convergence over the size of the cluster',
    xLabel: 'nodes, logarithmic',
    yLabel: 'seconds',
    lines: [
      lineOf('suspected, s', 'crash to first suspicion'),
      lineOf('declared dead, s', 'crash to first death'),
      lineOf('dead everywhere, s', 'crash to known by all'),
      lineOf('left everywhere, s', 'good-bye to known by all'),
    ],
  }),
  'gossip-load.svg': svgOf({
    title: 'Messages of a node in a period (1 s)',
    xLabel: 'nodes, logarithmic',
    yLabel: 'messages',
    lines: [lineOf('messages', 'mean of all nodes'), lineOf('most messages', 'most of one node')],
  }),
});

/** The path of a chart. */
export const chartFile = (name: string): string => join(folder, name);

export function writeSizes(sizes: readonly number[], progress: (text: string) => void): void {
  const rows = sizes.map((nodes) => {
    const row = rowOf(nodes);
    progress(row);
    return row;
  });
  const head = [`| ${columns.join(' | ')} |`, `|${' --- |'.repeat(columns.length)}`];
  const text = readFileSync(documentFile, 'utf8');
  const [before = '', rest = ''] = text.split(begin);
  const [, after = ''] = rest.split(end);
  writeFileSync(
    documentFile,
    [before, begin, '\n', [...head, ...rows].join('\n'), '\n', end, after].join(''),
  );
  for (const [name, svg] of Object.entries(charts())) writeFileSync(chartFile(name), svg);
}
