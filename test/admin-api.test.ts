import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { openApiDocument } from '../dataplane/admin/openapi.ts';

const path = 'docs/reference/admin-api.json';
const text = `${JSON.stringify(openApiDocument(), undefined, 2)}\n`;

describe('the OpenAPI document of the admin API', () => {
  it('is that of the table by which requests are validated (PHOTONDB_TEST_UPDATE=1 writes it)', () => {
    if (process.env['PHOTONDB_TEST_UPDATE'] === '1') writeFileSync(path, text);
    expect(readFileSync(path, 'utf8')).to.equal(text);
  });
});
