import type { ClusterFiles } from '../cluster-files.ts';

/** The files of a cluster in memory. */
export class MemoryFiles implements ClusterFiles {
  readonly all = new Map<string, string>();

  read(name: string): string | undefined {
    return this.all.get(name);
  }

  write(name: string, text: string): void {
    this.all.set(name, text);
  }

  remove(name: string): void {
    this.all.delete(name);
  }
}
