import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StorageUnavailableError } from './errors.ts';
import { directoryMode, fileMode } from './modes.ts';
import { syncPath } from './sync-path.ts';
import { whyUnusable } from './unusable.ts';

/**
 * Small files of a node beside its data: keys, certificates, lists. Guarded invariant: after a crash each is
 * there as it was or as it was written last, whole; and only its owner reads it.
 */
export class TextFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined when there is no such file. */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.#directory, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#failure(name, error);
    }
  }

  write(name: string, text: string): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: directoryMode });
      const temporary = join(this.#directory, `${name}.new`);
      writeFileSync(temporary, text, { mode: fileMode, flush: true });
      renameSync(temporary, join(this.#directory, name));
      syncPath(this.#directory);
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  remove(name: string): void {
    try {
      rmSync(join(this.#directory, name), { force: true });
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  #failure(name: string, error: unknown): StorageUnavailableError {
    const path = join(this.#directory, name);
    return new StorageUnavailableError(
      `The file ${path} cannot be used: ${whyUnusable(path, error)}.`,
      { cause: error },
    );
  }
}
