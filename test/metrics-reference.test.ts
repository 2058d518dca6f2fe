import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { end, removeDirectory, serve, temporaryDirectory } from './drivers/serve.ts';

const path = 'docs/reference/metrics.md';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
}

/** What a node says of its metrics in the text that Prometheus reads. */
function metricsIn(text: string): readonly Metric[] {
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  return [...text.matchAll(/^# HELP (photondb_\S+) (.*)$/gm)]
    .map(([, name = '', help = '']) => ({ name, help, type: types.get(name) ?? '' }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

const page = (metrics: readonly Metric[]): string =>
  [
    '# Metrics of a node',
    '',
    'Generated from a running node. Metrics of the process and of Node.js (`process_`, `nodejs_`) stand beside them.',
    '[Monitoring](../operations/monitoring.md) says what to watch.',
    '',
    '| metric | type | meaning |',
    '| --- | --- | --- |',
    ...metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`),
    '',
  ].join('\n');

describe('the reference of metrics', function reference() {
  this.timeout(60_000);

  it('lists what a running node serves (PHOTONDB_TEST_UPDATE=1 writes it)', async () => {
    const directory = temporaryDirectory();
    const node = await serve(directory);
    const response = await fetch(`http://${node.httpUrl}/_metrics`);
    const text = page(metricsIn(await response.text()));
    const health = (await (await fetch(`http://${node.httpUrl}/health`)).json()) as {
      readonly resources: { readonly workingSetBytes: number };
    };
    const open = await fetch(`http://${node.httpUrl}/_metrics`, {
      headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
    });
    const openText = await open.text();
    await end(node);
    removeDirectory(directory);
    expect(open.headers.get('content-type')).to.contain('application/openmetrics-text');
    expect(openText).to.match(/# EOF\n?$/);
    expect(openText).to.contain('# TYPE photondb_queries counter\nphotondb_queries_total ');
    const manual = readFileSync('docs/operations/monitoring.md', 'utf8');
    for (const [, name = ''] of text.matchAll(/^\| `(\S+)`/gm))
      expect(manual).to.contain(`\`${name}\``);
    if (process.env['PHOTONDB_TEST_UPDATE'] === '1') writeFileSync(path, text);
    expect(readFileSync(path, 'utf8')).to.equal(text);
    expect(health.resources.workingSetBytes).to.be.greaterThan(0);
  });

  it('uses base units, and names counters as totals', () => {
    for (const { name, type } of metricsIn(
      readFileSync(path, 'utf8').replaceAll(
        /^\| `(\S+)` \| (\S+) \| (.*) \|$/gm,
        '# HELP $1 $3\n# TYPE $1 $2',
      ),
    )) {
      expect(name).not.to.match(/_(ms|milliseconds|kb|mib|minutes)(_|$)/);
      if (type === 'counter') expect(name).to.match(/_total$/);
    }
  });
});
