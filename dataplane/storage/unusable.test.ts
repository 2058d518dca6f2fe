import { expect } from 'chai';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyUnusable } from './unusable.ts';

const failure = (code: string, syscall: string): Error =>
  Object.assign(new Error(`${code}: as the system says it, ${syscall}`), { code, syscall });

describe('why a file cannot be used', () => {
  for (const [code, words] of [
    ['EROFS', 'its file system is read-only'],
    ['ENOSPC', 'its disk is full: make room or give the volume more'],
    ['EACCES', 'this user may not write there: change its owner or choose another with --data-dir'],
  ] as const)
    it(`is said in words: ${code}`, () => {
      expect(whyUnusable('/d/file', failure(code, 'write'))).to.equal(words);
    });

  it('is what the system says where nothing more is known', () => {
    const path = join(tmpdir(), 'none', 'either', 'x');
    for (const each of [
      failure('EIO', 'write'),
      failure('ENOENT', 'open'),
      failure('ENOENT', 'mkdir'),
    ])
      expect(whyUnusable(path, each)).to.equal(each.message);
  });
});
