/**
 * The lines of a watch, parsed strictly: a line that is not an event, an ERROR event of any code,
 * and an end in the middle of a line are errors, never skipped, since each may hide a change.
 */
import { KubeError, errorOfStatus } from './errors.ts';
import type { Status } from './errors.ts';
import type { KubeObject, Resource } from './object.ts';
import { apiVersionOf } from './object.ts';

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** No change up to this version: a heartbeat, and a version to resume from. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** etcd takes 1.5 MB for an object; as JSON, with its managed fields, it can be twice that. */
const lineBytesMax = 16 * 1024 * 1024;

const newline = 0x0a;

/** Splits bytes at newlines; what follows the last one is kept for the next chunk. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end < 0) break;
      pending.push(chunk.subarray(start, end));
      const line = Buffer.concat(pending).toString('utf8').trim();
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
    }
    if (pendingBytes > lineBytesMax) {
      throw new KubeError('kube.malformed', `a watch event of more than ${lineBytesMax} bytes`);
    }
  }
  if (pendingBytes > 0) {
    throw new KubeError('kube.unavailable', 'the watch ended in the middle of an event');
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(line: string, cause?: unknown): KubeError {
  return new KubeError('kube.malformed', `not a watch event: ${line.slice(0, 200)}`, { cause });
}

function errorOfEvent(status: Status): KubeError {
  const error = errorOfStatus(status.code ?? 500, status);
  if (error.code === 'kube.expired') return error;
  const { message, reason, retryAfterMs } = error;
  return new KubeError('kube.watch_failed', message, {
    status: error.status,
    reason,
    retryAfterMs,
  });
}

/** One line as an event; throws the error that it carries, or that it is. */
export function parseWatchEvent<T extends KubeObject>(
  line: string,
  resource: Resource,
): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw malformed(line, error);
  }
  if (!isRecord(event) || !isRecord(event['object'])) throw malformed(line);
  const { type, object } = event;
  if (type === 'ERROR') {
    throw errorOfEvent(object);
  }
  const metadata = object['metadata'];
  if (!isRecord(metadata) || typeof metadata['resourceVersion'] !== 'string') throw malformed(line);
  if (type === 'BOOKMARK') return { type, resourceVersion: metadata['resourceVersion'] };
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw malformed(line);
  if (typeof metadata['name'] !== 'string' || typeof metadata['uid'] !== 'string') {
    throw malformed(line);
  }
  return { type, object: complete(object, resource) as T };
}

/** Items of a list have neither kind nor version, which a single object has. */
export function complete(object: object, resource: Resource): KubeObject {
  const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return { ...type, ...object } as KubeObject;
}
