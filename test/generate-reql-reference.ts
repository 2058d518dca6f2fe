import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePage } from '../dataplane/query/reference-page.ts';

/**
 * Writes docs/reference/reql.md from the table of terms. `--check` writes nothing and exits with 1 when
 * the file differs.
 */
const path = join(import.meta.dirname, '../docs/reference/reql.md');

if (!process.argv.includes('--check')) writeFileSync(path, referencePage());
else if (readFileSync(path, 'utf8') !== referencePage()) {
  process.stderr.write('docs/reference/reql.md is out of date; run "npm run generate"\n');
  process.exitCode = 1;
}
