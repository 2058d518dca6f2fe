import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { mustRun, words } from '../host/run.ts';

/**
 * Writes container images without a container engine: a layer is a tar file, an image is a tar file of
 * layers with two small JSON files (the format of `docker save`). Owners, times, modes and order are
 * fixed, so the same content gives the same bytes.
 */
export interface LayerContent {
  /** The folder that the paths below are relative to. */
  readonly folder: string;
  readonly paths: readonly string[];
  /** Where they go in the image, without a slash at either end; empty for its root. */
  readonly target: string;
  /** Patterns of what is left out. */
  readonly exclude?: readonly string[];
}

export interface Layer {
  readonly file: string;
  /** sha256 of the file, in hex. */
  readonly digest: string;
}

export interface ImageConfiguration {
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
}

export interface Image {
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly configuration: ImageConfiguration;
}

const tarTimeoutMs = 300_000;

const reproducible = words`--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu --mode=u+rw,go=rX`;

/** Makes a layer. The file appears whole or not at all. */
export async function writeLayer(content: LayerContent, file: string): Promise<Layer> {
  mkdirSync(dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}.tmp`;
  const exclude = (content.exclude ?? []).map((pattern) => `--exclude=${pattern}`);
  // Flag r: names only, so that what symbolic links point to stays as it is.
  const move = content.target === '' ? [] : [`--transform=flags=r;s,^,${content.target}/,`];
  await mustRun(
    words`tar ${reproducible} ${exclude} ${move} -C ${content.folder} -cf ${unfinished} ${content.paths}`,
    { timeoutMs: tarTimeoutMs },
  );
  const digest = await digestOf(unfinished);
  renameSync(unfinished, file);
  return { file, digest };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes the image into a file that `ctr images import` and `docker load` take. */
export async function writeImage(image: Image, file: string): Promise<void> {
  const folder = `${file}.${process.pid}.parts`;
  mkdirSync(folder, { recursive: true });
  try {
    const names = image.layers.map(({ digest }) => `${digest}.tar`);
    const configuration = {
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: image.configuration,
      rootfs: { type: 'layers', diff_ids: image.layers.map(({ digest }) => `sha256:${digest}`) },
    };
    const manifest = [{ Config: 'config.json', RepoTags: [image.name], Layers: names }];
    writeFileSync(join(folder, 'config.json'), JSON.stringify(configuration));
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const unfinished = join(folder, basename(file));
    const layers = image.layers.flatMap(({ file: layer }, position) => {
      const name = basename(layer);
      return words`-C ${dirname(layer)} --transform=s,^${name}$,${names[position] ?? ''}, ${name}`;
    });
    const command = words`tar ${reproducible} -cf ${unfinished} -C ${folder} manifest.json config.json ${layers}`;
    await mustRun(command, { timeoutMs: tarTimeoutMs });
    renameSync(unfinished, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
