import { randomBytes, sign, verify } from 'node:crypto';
import { expect } from 'chai';
import { createRequest } from '../security/certificates.ts';
import { Authority } from './authority.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { KeyDirectory, openSigningKey, statementOf } from './key-directory.ts';
import { MemoryFiles } from './testing/memory-files.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'bbbbbbbb-0000-4000-8000-000000000000';
const start = Date.UTC(2030, 0, 1);
const day = 86_400_000;

describe('the keys that sign datagrams', () => {
  let now: number;
  let authority: Authority;
  let keys: KeyDirectory;
  let credentials: StoredCredentials;
  const clock = { now: () => now, timeOfDay: () => start + now };

  const authorityOf = (cluster: string): Promise<Authority> =>
    Authority.create(
      {
        files: new MemoryFiles(),
        clock,
        chance: { bytes: randomBytes },
        certificateLifetimeMs: day,
      },
      cluster,
    );

  async function certify(from: Authority): Promise<StoredCredentials> {
    const { privateKey, request } = await createRequest();
    return { ...(await from.certify(nodeId, request, ['data'])), nodeId, privateKey };
  }

  beforeEach(async () => {
    now = 0;
    authority = await authorityOf(clusterId);
    credentials = await certify(authority);
    keys = new KeyDirectory({
      clusterId,
      authorities: () => [authority.certificate],
      clock,
      nodesMax: 2,
    });
  });

  const refusalOf = async (statement: string): Promise<string> => {
    try {
      await keys.accept(statement);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };

  it('are believed when the key of the certificate has signed them, until it expires', async () => {
    const { privateKey, spki } = openSigningKey(new MemoryFiles());
    const statement = statementOf(credentials, spki);
    expect(await keys.accept(statement)).to.deep.equal({ clusterId, nodeId });
    const key = keys.publicKeyOf(nodeId);
    const text = Buffer.from('news');
    expect(key !== undefined && verify(null, text, key, sign(null, text, privateKey))).to.equal(
      true,
    );
    expect(keys.has(nodeId, statement)).to.equal(true);
    now += day + 1;
    expect(keys.publicKeyOf(nodeId)).to.equal(undefined);
  });

  it('are made once for a data directory', () => {
    const files = new MemoryFiles();
    expect(openSigningKey(files).spki).to.equal(openSigningKey(files).spki);
  });

  it('of another cluster, or certified by another key, are refused', async () => {
    const { spki } = openSigningKey(new MemoryFiles());
    const foreign = await certify(await authorityOf(clusterId));
    expect(await refusalOf(statementOf(foreign, spki))).to.contain('not signed by an authority');
    const { privateKey } = await certify(authority);
    expect(await refusalOf(statementOf({ ...credentials, privateKey }, spki))).to.contain(
      'is not certified by its key',
    );
    expect(await refusalOf(statementOf(credentials, 'bm90IGEga2V5'))).to.contain('not certified');
    expect(await refusalOf('{}')).to.contain('is not valid');
    expect(await refusalOf('nothing')).to.contain('is not JSON');
  });

  it('of an earlier certificate do not replace the present ones', async () => {
    const [former, present] = [new MemoryFiles(), new MemoryFiles()].map(openSigningKey);
    now += 1_000;
    const renewed = await certify(authority);
    await keys.accept(statementOf(renewed, present?.spki ?? ''));
    const key = keys.publicKeyOf(nodeId);
    await keys.accept(statementOf(credentials, former?.spki ?? ''));
    expect(keys.publicKeyOf(nodeId)).to.equal(key);
  });
});
