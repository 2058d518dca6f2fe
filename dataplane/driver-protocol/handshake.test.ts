import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { expect } from 'chai';
import { loginLimits } from '../security/login-guard.ts';
import { Port, magics, password, u32, until } from './testing/port.ts';
import type { Client } from './testing/port.ts';

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The proof of a password, as RFC 5802 has it. */
function proofOf(secret: string, serverFirst: string, message: string): string {
  const [, salt = '', rounds = ''] = /s=([^,]+),i=(\d+)/.exec(serverFirst) ?? [];
  const salted = pbkdf2Sync(secret, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
  const client = hmac(salted, 'Client Key');
  const stored = createHash('sha256').update(client).digest();
  const signature = hmac(stored, message);
  return Buffer.from(client.map((byte, at) => byte ^ (signature[at] ?? 0))).toString('base64');
}

const first = (authentication: unknown): object => ({
  protocol_version: 0,
  authentication_method: 'SCRAM-SHA-256',
  authentication,
});

interface Attempt {
  readonly user?: string;
  readonly secret?: string;
  readonly channel?: string;
  readonly nonce?: (right: string) => string;
  readonly final?: (channel: string, nonce: string, proof: string) => string;
}

const usual = (channel: string, nonce: string, proof: string): string =>
  `c=${channel},r=${nonce},p=${proof}`;

/** A whole login; answers the server's last word. */
async function login(client: Client, attempt: Attempt = {}): Promise<Record<string, unknown>> {
  const { user = 'ann', secret = password, channel = 'biws', nonce, final = usual } = attempt;
  client.socket.write(u32(magics.v10));
  await client.text();
  const bare = `n=${user},r=CLIENT`;
  client.say(first(`n,,${bare}`));
  const answer = await client.object();
  if (answer['success'] !== true) return answer;
  const serverFirst = String(answer['authentication']);
  const right = /r=([^,]+)/.exec(serverFirst)?.[1] ?? '';
  const sent = nonce?.(right) ?? right;
  const proof = proofOf(secret, serverFirst, `${bare},${serverFirst},c=${channel},r=${sent}`);
  client.say({ authentication: final(channel, sent, proof) });
  return client.object();
}

describe('the handshake', () => {
  let port: Port;

  beforeEach(async () => {
    port = await Port.open();
  });

  afterEach(() => port.close());

  it('lets in who knows the password, by SCRAM and by key', async () => {
    const client = await port.dial();
    expect(await login(client)).to.have.property('success', true);
    expect(await client.ask('[1,7]')).to.equal('{"t":1,"r":[7]}');
    for (const magic of [magics.v03, magics.v04]) {
      expect(await (await port.signedIn(magic)).ask('[1,8]')).to.equal('{"t":1,"r":[8]}');
    }
  });

  it('takes all messages of a client that does not wait for answers', async () => {
    const client = await port.dial();
    const message = `${JSON.stringify(first('n,,n=ann,r=x'))}\0`;
    client.socket.write(Buffer.concat([u32(magics.v10), Buffer.from(message)]));
    expect(await client.object()).to.include({ server_version: '2.4.4', success: true });
    expect((await client.object())['authentication']).to.match(/^r=xSERVERNONCE,s=.+,i=4096$/);
  });

  for (const [about, message, code, words] of [
    ['no JSON', 'nonsense', 8, 'Invalid JSON object.'],
    ['JSON that is no object', 'null', 8, 'Invalid JSON object.'],
    ['an array', '[]', 8, 'Invalid JSON object.'],
    ['no version', '{}', 1, 'Expected a number for `protocol_version`.'],
    ['another version', '{"protocol_version":1}', 2, 'Unsupported `protocol_version`.'],
    ['no method', '{"protocol_version":0}', 3, 'Expected a string for `authentication_method`.'],
    [
      'another method',
      '{"protocol_version":0,"authentication_method":"PLAIN"}',
      4,
      'Unsupported `authentication_method`.',
    ],
    ['no message', first(7), 5, 'Expected a string for `authentication`.'],
    ['a message that is too long', 'x'.repeat(2_048), 7, 'Limited read buffer size.'],
    [
      'wanted channel binding',
      first('p=tls-unique,,n=ann,r=x'),
      15,
      'Channel binding is not supported',
    ],
    ['possible channel binding', first('y,,n=ann,r=x'), 15, 'Channel binding is not supported'],
    ['half a header', first('n,'), 10, 'Invalid encoding'],
    ['no user', first('n,,r=x'), 10, 'Invalid encoding'],
    ['no nonce', first('n,,n=ann'), 10, 'Invalid encoding'],
    ['two users', first('n,,n=ann,n=bob,r=x'), 10, 'Invalid encoding'],
    ['an extension', first('n,,m=x,n=ann,r=x'), 11, 'Extensions not supported'],
    ['a bad escape', first('n,,n=a=ff,r=x'), 18, 'Invalid username encoding'],
  ] as const) {
    it(`refuses ${about} by code ${code}`, async () => {
      const client = await port.dial();
      client.socket.write(u32(magics.v10));
      await client.text();
      client.say(message);
      const expected = { error: words, error_code: code, success: false };
      expect(await client.object()).to.deep.equal(expected);
      await client.gone();
      expect(port.server.counters.handshakesMalformed).to.equal(1);
    });
  }

  for (const [about, attempt, code, words] of [
    ['a wrong password', { secret: 'wrong' }, 12, 'Wrong password'],
    ['an unknown user only at the end', { user: 'eve' }, 17, 'Unknown user'],
    ['another nonce', { nonce: (right: string) => `${right}x` }, 20, 'Other error'],
    ['the nonce of the client alone', { nonce: () => 'CLIENT' }, 20, 'Other error'],
    ['another channel', { channel: 'eSws' }, 10, 'Invalid encoding'],
    ['no proof', { final: (c: string, r: string) => `c=${c},r=${r}` }, 10, 'Invalid encoding'],
    [
      'an empty proof',
      { final: (c: string, r: string) => `c=${c},r=${r},p=` },
      12,
      'Wrong password',
    ],
    [
      'a wrong password with a wrong nonce',
      { secret: 'w', nonce: () => 'x' },
      12,
      'Wrong password',
    ],
  ] as readonly (readonly [string, Attempt, number, string])[]) {
    it(`refuses ${about} by code ${code}`, async () => {
      const client = await port.dial();
      const expected = { error: words, error_code: code, success: false };
      expect(await login(client, attempt)).to.deep.equal(expected);
      await client.gone();
    });
  }

  it('refuses keys and old protocols in words that drivers know', async () => {
    const wrong = 'ERROR: Incorrect authorization key.\n';
    for (const key of ['', 'wrong']) {
      const client = await port.dial();
      client.key(key);
      expect(await client.text()).to.equal(wrong);
      await client.gone();
    }
    const long = await port.dial();
    long.socket.write(u32(magics.v04, 0xffff_ffff));
    expect(await long.text()).to.equal(
      'ERROR: Client provided an authorization key that is too long.\n',
    );
    for (const [protocol, words] of [
      [0x271ffc41, 'ERROR: The PROTOBUF client protocol is no longer supported\n'],
      [0xffff_ffff, "ERROR: Unrecognized protocol specified: '-1'\n"],
    ] as const) {
      const client = await port.dial();
      client.key(password, magics.v04, protocol);
      expect(await client.text()).to.equal(words);
    }
    const http = await port.dial();
    http.socket.write('GET / HTTP/1.1\r\n\r\n');
    expect(await http.text()).to.contain('This port is for RethinkDB queries.');
    const old = await port.dial();
    old.socket.write(u32(magics.v01));
    expect(await old.text()).to.contain('PROTOBUF client protocol is no longer supported');
  });

  it('is given up when it takes too long, at whichever byte it stopped', async () => {
    const silent = await port.dial();
    const half = await port.dial();
    half.socket.write(u32(magics.v10).subarray(0, 3));
    const halfKey = await port.dial();
    halfKey.socket.write(u32(magics.v04, 100));
    const inside = await port.signedIn();
    await until(() => port.server.connections === 4 && port.clock.sleeping >= 4);
    port.clock.advance(10_000);
    await Promise.all([silent.gone(), half.gone(), halfKey.gone()]);
    expect(await inside.ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
    expect(port.server.counters.handshakesTimedOut).to.equal(3);
    expect(port.server.connections).to.equal(1);
  });

  it('refuses who has failed too often for a while, by a number that drivers take for a login', async () => {
    for (let at = 0; at <= loginLimits.pairFailuresFree; at += 1) {
      const outcome = await login(await port.dial(), { secret: 'wrong' });
      expect(outcome).to.include({ error_code: 12 });
    }
    const words = 'Too many failed logins of user `ann` from this address: try again in 1 s';
    const right = await login(await port.dial());
    expect(right).to.deep.equal({ error: words, error_code: 20, success: false });
    expect(await login(await port.dial(), { user: 'bob' })).to.include({ success: true });
    port.clock.advance(1_000);
    expect(await login(await port.dial())).to.include({ success: true });
    const { loginsFailed, loginsLocked } = port.server.counters;
    expect([loginsFailed, loginsLocked]).to.deep.equal([loginLimits.pairFailuresFree + 1, 1]);
  });

  it('refuses keys in the same way, also when they come all at once', async () => {
    const guesses = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const client = await port.dial();
        client.key(`guess ${at}`);
        return client.text();
      }),
    );
    const seen = guesses.filter((words) => words.includes('Incorrect authorization key'));
    expect(seen.length).to.equal(loginLimits.pairFailuresFree + 1);
    const owner = await port.dial();
    owner.key(password);
    expect(await owner.text()).to.match(/^ERROR: Too many failed logins of user `admin`/);
    port.clock.advance(1_000);
    await port.signedIn();
  });
});
