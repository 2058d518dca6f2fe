import { closeSync, readSync, writeSync } from 'node:fs';
import { openNameless } from '../../workers/nameless-file.ts';

/**
 * The last queries that a worker has taken, in a file without a name that core and worker have open: it can be read when
 * the worker cannot be asked any more. One small write for each query, in a ring; the file never grows.
 */
const slots = 8;
const slotBytes = 512;
/** A u32 length, a u32 number, then the text. */
const headBytes = 8;
const textBytesMax = slotBytes - headBytes;
/** Queries that are reported. */
const reportedMax = 3;

/** Of the core. */
export class FlightRecorder {
  readonly descriptor: number;

  /** In the first directory that takes it. */
  constructor(directories: readonly string[], name: string) {
    const { both, readOnly } = openNameless(directories, `${name}.queries`);
    closeSync(readOnly);
    this.descriptor = both;
  }

  /** The newest first, as the clients sent them, cut. */
  read(): string[] {
    const found: { readonly number: number; readonly text: string }[] = [];
    const bytes = Buffer.alloc(slots * slotBytes);
    const count = readSync(this.descriptor, bytes, 0, bytes.length, 0);
    for (let at = 0; at + headBytes <= count; at += slotBytes) {
      const length = Math.min(bytes.readUInt32LE(at), textBytesMax);
      const start = at + headBytes;
      const text = bytes.toString('utf8', start, start + length);
      if (length > 0) found.push({ number: bytes.readUInt32LE(at + 4), text });
    }
    return found
      .toSorted((a, b) => b.number - a.number)
      .slice(0, reportedMax)
      .map(({ text }) => text);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Of the worker. */
export class FlightLog {
  readonly #descriptor: number;
  readonly #bytes = Buffer.alloc(slotBytes);
  #number = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  taken(text: string): void {
    this.#number = (this.#number + 1) >>> 0;
    const bytes = this.#bytes;
    const length = bytes.write(
      text.length > textBytesMax ? text.slice(0, textBytesMax) : text,
      headBytes,
    );
    bytes.writeUInt32LE(length, 0);
    bytes.writeUInt32LE(this.#number, 4);
    try {
      const slot = this.#number % slots;
      writeSync(this.#descriptor, bytes, 0, headBytes + length, slot * slotBytes);
    } catch {
      // A full disk keeps no query from running.
    }
  }
}
