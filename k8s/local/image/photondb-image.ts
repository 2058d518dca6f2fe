import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder, hashOf, readIfThere } from '../host/files.ts';
import { withLock } from '../host/lock.ts';
import { mustRun } from '../host/run.ts';
import { writeImage, writeLayer } from './archive.ts';
import type { ImageConfiguration, Layer, LayerContent } from './archive.ts';

/**
 * The image of PhotonDB for `up`: what the Dockerfile makes, without an engine and a registry. Three
 * layers, by how often they change: Node with the shared libraries that it asks for, the npm packages
 * that the product needs, the sources. The tag is the hash of the content.
 */
export interface PhotonImage {
  readonly repository: string;
  readonly tag: string;
  readonly name: string;
  /** Writes the image into a file. */
  write(file: string): Promise<void>;
}

const imageRepository = 'localhost/photondb';
const userId = 1000;
const lockTimeoutMs = 300_000;

const configuration: ImageConfiguration = {
  Entrypoint: ['node'],
  Env: [
    'PATH=/usr/local/bin',
    'NODE_ENV=production',
    'NODE_OPTIONS=--disable-warning=ExperimentalWarning',
  ],
  User: `${userId}:${userId}`,
  WorkingDir: '/app',
};

/** Of the sources, what only tests use. */
const testFiles = ['*.test.ts', '*.compliance.ts', '*.bench.ts', 'generate.ts'];

export function buildPhotonImage(root: string): Promise<PhotonImage> {
  const layers = join(cacheFolder(), 'layers');
  mkdirSync(layers, { recursive: true });
  const lock = { timeoutMs: lockTimeoutMs };
  return withLock(join(layers, 'lock'), lock, async () => {
    const parts = [await runtimeLayer(root), await packagesLayer(root), await sourcesLayer(root)];
    const content = parts.map(({ digest }, position) => [String(position), digest] as const);
    const tag = hashOf([...content, ['configuration', JSON.stringify(configuration)]]).slice(0, 12);
    const name = `${imageRepository}:${tag}`;
    const write = (file: string): Promise<void> =>
      writeImage({ name, layers: parts, configuration }, file);
    return { repository: imageRepository, tag, name, write };
  });
}

/** A layer of the cache by the hash of what it is made from; made when it is not there. */
async function cachedLayer(
  name: string,
  key: string,
  content: () => LayerContent | Promise<LayerContent>,
): Promise<Layer> {
  const file = join(cacheFolder(), 'layers', `${name}-${key.slice(0, 16)}.tar`);
  const digest = readIfThere(`${file}.sha256`);
  if (digest !== undefined && existsSync(file)) return { file, digest };
  const layer = await writeLayer(await content(), file);
  writeFileSync(`${file}.sha256`, layer.digest);
  removeOldLayers(name);
  return layer;
}

async function runtimeLayer(root: string): Promise<Layer> {
  const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  const libraries = await sharedLibraries(node);
  const identity = [node, ...libraries].map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [path === node ? 'node' : path, `${size} ${mtimeMs}`] as const;
  });
  const folder = mkdtempSync(join(tmpdir(), 'photondb-image-'));
  try {
    return await cachedLayer('runtime', hashOf(identity), () => {
      layRuntime(folder, node, libraries);
      return { folder, paths: ['.'], target: '' };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files that the dynamic linker loads for a program, the linker among them. */
async function sharedLibraries(program: string): Promise<string[]> {
  const text = await mustRun(['ldd', program]);
  return [...text.matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map(([, path = '']) => path);
}

function layRuntime(folder: string, node: string, libraries: readonly string[]): void {
  for (const path of ['app', 'dev', 'proc', 'sys', 'tmp', 'usr/local/bin']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  copyFileSync(node, join(folder, 'usr/local/bin/node'));
  for (const path of libraries) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
  const files = {
    passwd: `root:x:0:0:root:/root:/sbin/nologin\nnode:x:${userId}:${userId}::/app:/sbin/nologin\n`,
    group: `root:x:0:\nnode:x:${userId}:\n`,
    'nsswitch.conf': 'hosts: files dns\n',
  };
  mkdirSync(join(folder, 'etc'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'etc', name), text);
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** The npm packages that are installed and that not only development needs, after the lock file. */
export function productionPackages(
  lock: LockFile,
  isInstalled: (path: string) => boolean,
): string[] {
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => dev !== true && /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path))
    .map(([path]) => path)
    .filter((path) => !path.startsWith('node_modules/node-linux-') && isInstalled(path));
}

function packagesLayer(root: string): Promise<Layer> {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const paths = productionPackages(JSON.parse(text) as LockFile, (path) =>
    existsSync(join(root, path)),
  );
  const key = hashOf([
    ['lock', text],
    ['paths', paths.join('\n')],
  ]);
  return cachedLayer('packages', key, () => ({ folder: root, paths, target: 'app' }));
}

/** Always rebuilt: it is small, and its content shows whether it has changed. */
async function sourcesLayer(root: string): Promise<Layer> {
  const paths = ['package.json', 'dataplane', 'operator', 'crds'];
  const content = { folder: root, paths, target: 'app', exclude: testFiles };
  const folder = join(cacheFolder(), 'layers');
  const { file, digest } = await writeLayer(content, join(folder, 'sources.tar'));
  // By its content: another checkout may make its own before this one is used.
  const named = join(folder, `sources-${digest.slice(0, 16)}.tar`);
  renameSync(file, named);
  removeOldLayers('sources');
  return { file: named, digest };
}

/** Layers of each kind that are kept; there is one kind of each for every checkout in use. */
const layersKept = 6;

function removeOldLayers(name: string): void {
  const folder = join(cacheFolder(), 'layers');
  const layers = readdirSync(folder)
    .filter((each) => each.startsWith(`${name}-`) && each.endsWith('.tar'))
    .map((each) => ({ path: join(folder, each), age: -statSync(join(folder, each)).mtimeMs }))
    .sort((a, b) => a.age - b.age);
  for (const { path } of layers.slice(layersKept)) {
    rmSync(path);
    rmSync(`${path}.sha256`, { force: true });
  }
}
