import { expect } from 'chai';
import { encodeUtf8, toHex } from './bytes.ts';
import { hmacSha256, sha1, sha256 } from './hash.ts';

describe('digests', () => {
  it('are those of the published test vectors', () => {
    const abc = encodeUtf8('abc');
    expect(toHex(sha1(abc))).to.equal('a9993e364706816aba3e25717850c26c9cd0d89d');
    expect(toHex(sha256(abc))).to.equal(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    const mac = hmacSha256(encodeUtf8('Jefe'), encodeUtf8('what do ya want for nothing?'));
    expect(toHex(mac)).to.equal('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  });
});
