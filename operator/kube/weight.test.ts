import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';

describe('weight of the operator', () => {
  it('takes types alone from the client library, whose import costs 130 MB', () => {
    const sources = globSync('operator/**/*.ts').filter((path) => !path.endsWith('.test.ts'));
    const values = sources.filter((path) =>
      /import\s+(?!type\b)[^;]*?'@kubernetes\/client-node'/.test(readFileSync(path, 'utf8')),
    );
    expect(sources.length).to.be.greaterThan(20);
    expect(values).to.deep.equal([]);
  });

  it('does not load the YAML parser where a pod has no use for it', () => {
    const config = readFileSync('operator/kube/config.ts', 'utf8');
    expect(config).not.to.match(/^import .*'yaml'/m);
    expect(config).to.contain("await import('yaml')");
  });
});
