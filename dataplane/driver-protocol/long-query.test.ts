import { expect } from 'chai';
import { Port, until } from './testing/port.ts';
import type { Client, Run } from './testing/port.ts';

describe('a long query', () => {
  let port: Port;

  afterEach(() => port.close());

  async function signedIn(run?: Run): Promise<Client> {
    port = await Port.open(run);
    return port.signedIn();
  }

  const text = 'ä'.repeat(300_000);
  const long = `[1,["${text}",{"a":[1,2]}]]`;

  it('is answered as a short one', async () => {
    const client = await signedIn();
    client.query(long, 1);
    expect((await client.answer()).text).to.equal(`{"t":1,"r":[["${text}",{"a":[1,2]}]]}`);
  });

  it('is refused, and the next is answered', async () => {
    const client = await signedIn();
    const wrong = 'Client is buggy (failed to deserialize query).';
    for (const broken of [long.slice(0, -1), long.replace('[1,2]', '[1,]')]) {
      client.query(broken, 2);
      expect((await client.answer()).text).to.equal(`{"t":16,"r":["${wrong}"],"b":[]}`);
    }
    expect(port.server.counters.framesMalformed).to.equal(2);
    client.query(`[1,${'['.repeat(200_000)}${']'.repeat(200_000)}]`, 3);
    expect((await client.answer()).text).to.contain('Query too deeply nested.');
    client.query('[1,"next"]', 4);
    expect((await client.answer()).text).to.equal('{"t":1,"r":["next"]}');
  });

  it('comes before the next ones, also those that wait for it', async () => {
    const client = await signedIn();
    client.query(long, 1);
    client.query('[4]', 2);
    client.query('[1,"next"]', 3);
    const tokens = [];
    for (let count = 0; count < 3; count += 1) tokens.push((await client.answer()).token);
    expect(tokens).to.have.members([1, 2, 3]);
    expect(tokens.indexOf(1)).to.be.lessThan(tokens.indexOf(2));
  });

  it('is not read to its end when its client is gone', async () => {
    const terms: unknown[] = [];
    const client = await signedIn((term) => {
      terms.push(term);
      return { type: 'atom', json: '1' };
    });
    client.query(`[1,"${'x'.repeat(32_000_000)}"]`, 1);
    await until(() => port.server.running > 0);
    client.socket.destroy();
    await until(() => port.server.connections === 0);
    for (let count = 0; count < 100; count += 1)
      await new Promise((resolve) => setImmediate(resolve));
    expect(terms).to.deep.equal([]);
    expect(port.faults).to.deep.equal([]);
  });
});
