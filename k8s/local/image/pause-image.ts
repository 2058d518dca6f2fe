import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pauseImageName } from '../cluster/worker.ts';
import { writeImage, writeLayer } from './archive.ts';

/** The image of the pods' sandboxes: one static program of 1.4 MB. */
export async function pauseImage(kube: string, folder: string): Promise<string> {
  const file = join(folder, 'pause-image.tar');
  if (existsSync(file)) return file;
  const content = { folder: kube, paths: ['pause'], target: '' };
  const layer = await writeLayer(content, join(folder, 'pause-layer.tar'));
  const configuration = { Entrypoint: ['/pause'] };
  await writeImage({ name: pauseImageName, layers: [layer], configuration }, file);
  rmSync(layer.file);
  return file;
}
