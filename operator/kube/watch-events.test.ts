import { expect } from 'chai';
import * as fc from 'fast-check';
import { isKubeError } from './errors.ts';
import { resources } from './object.ts';
import { configMap } from './testing/fake-api-server.ts';
import { linesOf, parseWatchEvent } from './watch-events.ts';

async function* chunksOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* pieces;
}

async function linesFrom(pieces: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(chunksOf(pieces))) lines.push(line);
  return lines;
}

const parse = (line: string): unknown => parseWatchEvent(line, resources.configMaps);

function codeOf(line: string): string {
  try {
    parse(line);
  } catch (error) {
    if (isKubeError(error)) return error.code;
    throw error;
  }
  return 'no error';
}

describe('watch events', () => {
  it('are the same lines wherever the bytes were cut, in the middle of a character too', async () => {
    const line = fc.string({ unit: 'binary', minLength: 1 }).map((text) => JSON.stringify(text));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 50 }),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
          const pieces: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const length = cuts[turn % cuts.length] ?? 1;
            pieces.push(bytes.subarray(at, at + length));
            at += length;
          }
          expect(await linesFrom(pieces)).to.deep.equal(lines.map((text) => text.trim()));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('an end in the middle of a line is a lost connection', async () => {
    const failure = await linesFrom([Buffer.from('{"a":1}\n{"b"')]).catch(
      (error: unknown) => error,
    );
    expect(isKubeError(failure, 'kube.unavailable')).to.equal(true);
  });

  it('a line without end is refused', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'a');
    const endless = Array.from({ length: 20 }, () => piece);
    const failure = await linesFrom(endless).catch((error: unknown) => error);
    expect(isKubeError(failure, 'kube.malformed')).to.equal(true);
  });

  it('objects get the kind and version that they may lack', () => {
    const metadata = { name: 'a', uid: 'u', resourceVersion: '5', extra: true };
    const line = JSON.stringify({ type: 'ADDED', object: { metadata, unknownField: 1 } });
    expect(parse(line)).to.deep.equal({
      type: 'ADDED',
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, unknownField: 1 },
    });
  });

  it('bookmarks carry a version only', () => {
    const object = { metadata: { resourceVersion: '7' } };
    expect(parse(JSON.stringify({ type: 'BOOKMARK', object }))).to.deep.equal({
      type: 'BOOKMARK',
      resourceVersion: '7',
    });
  });

  it('errors of any code are thrown', () => {
    const error = (code: number, reason: string): string =>
      JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, reason, message: 'm' } });
    expect(codeOf(error(410, 'Expired'))).to.equal('kube.expired');
    expect(codeOf(error(410, ''))).to.equal('kube.expired');
    expect(codeOf(error(500, 'InternalError'))).to.equal('kube.watch_failed');
    expect(codeOf(error(403, 'Forbidden'))).to.equal('kube.watch_failed');
    expect(codeOf(JSON.stringify({ type: 'ERROR', object: {} }))).to.equal('kube.watch_failed');
  });

  it('lines that are no events are never skipped', () => {
    const broken = [
      'not json',
      '[]',
      'null',
      '{"type":"ADDED"}',
      '{"type":"ADDED","object":{}}',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}',
      '{"type":"RENAMED","object":{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}}',
      '{"type":"BOOKMARK","object":{"metadata":{}}}',
    ];
    for (const line of broken) expect(codeOf(line), line).to.equal('kube.malformed');
    expect(codeOf(JSON.stringify({ type: 'DELETED', object: configMap('a', 'u', 1) }))).to.equal(
      'no error',
    );
  });
});
