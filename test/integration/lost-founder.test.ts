import { expect } from 'chai';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { ended, launch } from './testing/local-cluster.ts';

describe('a local cluster whose founder has lost its data directory', function lostFounder() {
  this.timeout(60_000);
  let directory: string;

  beforeEach(() => {
    directory = temporaryDirectory();
    mkdirSync(join(directory, 'node2'));
    writeFileSync(join(directory, 'node2', 'IDENTITY'), '{}');
  });

  afterEach(() => removeDirectory(directory));

  for (const only of [[], ['--only', 'node1']]) {
    it(`founds no second cluster: ${['npm run cluster', ...only].join(' ')}`, async () => {
      const starting = launch(directory, ...only);
      expect(await ended(starting)).to.equal(1);
      expect(starting.log()).to.contain('Starting node1 would found a second cluster');
      expect(starting.log()).to.match(
        /start the others without it: npm run cluster .*--only node2/,
      );
      expect(existsSync(join(directory, 'node1'))).to.equal(false);
    });
  }
});

describe('a local cluster in the data directory of one node', function nodeDirectory() {
  this.timeout(60_000);

  it('is refused, and starts nothing', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'IDENTITY'), '{}');
    const starting = launch(directory);
    expect(await ended(starting)).to.equal(1);
    expect(starting.log()).to.contain(`${directory} is the data directory of one node`);
    expect(starting.log()).to.contain('choose another one with --data-dir');
    expect(existsSync(join(directory, 'node1'))).to.equal(false);
    removeDirectory(directory);
  });
});
