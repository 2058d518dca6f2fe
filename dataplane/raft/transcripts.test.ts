import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { rewritten } from './testing/transcript.ts';

/**
 * Each file in testing/transcripts shows a section of the thesis: commands, and what they cause. They are reviewed by
 * reading. `PHOTONDB_TEST_UPDATE=1` rewrites what they cause.
 */
const folder = join(import.meta.dirname, 'testing', 'transcripts');
const update = process.env['PHOTONDB_TEST_UPDATE'] === '1';

describe('a transcript', () => {
  const names = readdirSync(folder).sort();

  it('exists for each section that is implemented', () => {
    const sections = names.map((name) => readFileSync(join(folder, name), 'utf8').split(':')[0]);
    expect(sections).to.include.members(
      [
        '3.4',
        '3.5',
        '3.6.2',
        '3.8',
        '3.10',
        '4.2.1',
        '4.3',
        '5',
        '6.2',
        '6.4',
        '9.6',
        '10.2.1',
      ].map((section) => `# ${section}`),
    );
  });

  for (const name of names) {
    it(`is as it was: ${name}`, () => {
      const path = join(folder, name);
      const text = readFileSync(path, 'utf8');
      const now = rewritten(text);
      if (update) writeFileSync(path, now);
      else expect(now).to.equal(text);
    });
  }
});
