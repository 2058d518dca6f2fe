import { expect } from 'chai';
import * as fc from 'fast-check';
import { formatIdentity } from './node-identity.ts';
import { SigningRefusal } from './refusal.ts';
import { readSigningRequest, requestCharactersMax } from './signing-request.ts';
import { asAuthority, named, requestWith, someIdentity } from './testing/requests.ts';

const uri = formatIdentity(someIdentity);

async function refusalOf(text: string): Promise<string> {
  try {
    await readSigningRequest(text);
    return 'none';
  } catch (error) {
    if (!(error instanceof SigningRefusal)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** The DER of a PEM text with one bit changed. */
function flipped(text: string, bit: number): string {
  const der = Buffer.from(text.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const at = bit % (der.length * 8);
  der[at >> 3] = (der[at >> 3] ?? 0) ^ (1 << (at & 7));
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

describe('a signing request', () => {
  it('is read when it asks for one identity of a node', async () => {
    const { identity, publicKey } = await readSigningRequest(await requestWith());
    expect(identity).to.deep.equal(someIdentity);
    expect(publicKey.algorithm).to.include({ name: 'ECDSA', namedCurve: 'P-256' });
  });

  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 1024,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: 'SHA-256',
  };
  const refused: readonly (readonly [
    about: string,
    request: () => Promise<string>,
    words: string,
  ])[] = [
    ['nothing', async () => '', 'cannot be read'],
    ['no PKCS #10', async () => 'hello', 'cannot be read'],
    ['more than a node would send', async () => 'a'.repeat(requestCharactersMax + 1), 'too_large'],
    ['a weak key', () => requestWith({ algorithm: rsa }), 'of another kind'],
    [
      'a key on another curve',
      () => requestWith({ algorithm: { name: 'ECDSA', namedCurve: 'P-384' } }),
      'of another kind',
    ],
    ['no name', () => requestWith({ extensions: [] }), 'asks for more than an identity'],
    ['a subject', () => requestWith({ subject: 'CN=admin' }), 'asks for more than an identity'],
    [
      'the rights of an authority',
      () => requestWith({ extensions: [named(['url', uri]), asAuthority()] }),
      'asks for more than an identity',
    ],
    ['a password', () => requestWith({ hasPassword: true }), 'asks for more than an identity'],
    [
      'a name of a host beside its own',
      () => requestWith({ extensions: [named(['url', uri], ['dns', 'kubernetes.default'])] }),
      'names something else',
    ],
    [
      'a name of a host alone',
      () => requestWith({ extensions: [named(['dns', 'orders-nodes'])] }),
      'names something else',
    ],
    [
      'two identities',
      () => requestWith({ extensions: [named(['url', uri], ['url', uri])] }),
      'names something else',
    ],
    [
      'another URI',
      () => requestWith({ extensions: [named(['url', `${uri}/more`])] }),
      'names something else',
    ],
    [
      'an identity in upper case',
      () => requestWith({ extensions: [named(['url', uri.toUpperCase()])] }),
      'names something else',
    ],
  ];
  for (const [about, request, words] of refused) {
    it(`is refused with ${about}`, async () => {
      expect(await refusalOf(await request())).to.contain(words);
    });
  }

  it('is refused, or names the same identity, whatever bit of it is changed', async () => {
    const text = await requestWith();
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 8 * 512 }), async (bit) => {
        const changed = flipped(text, bit);
        const words = await refusalOf(changed);
        // The tag around the whole request is not signed.
        if (words !== 'none') expect(words).to.match(/^request_refused: /);
        else expect((await readSigningRequest(changed)).identity).to.deep.equal(someIdentity);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused whatever text it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
        expect(await refusalOf(text)).to.match(/^request_refused: /);
      }),
      { numRuns: 200 },
    );
  });
});
