import { expect } from 'chai';
import { isHostAllowed } from './request-rules.ts';

describe('the host that a request names', () => {
  const own = [
    '127.0.0.1',
    '127.0.0.1:8081',
    '[::1]:8081',
    '[::1]',
    'localhost',
    'LocalHost:80',
    'db.localhost:1',
    'localhost.',
    '192.168.0.7:8081',
  ];
  const foreign = [
    'evil.example',
    'evil.example:8081',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'notlocalhost',
    '',
    ':8081',
    '[evil]',
    '[::1',
    'a b',
    '127.1',
    '2130706433',
  ];

  for (const host of own) {
    it(`may be ${host}`, () => expect(isHostAllowed(host, [])).to.equal(true));
  }

  for (const host of foreign) {
    it(`may not be "${host}"`, () => expect(isHostAllowed(host, [])).to.equal(false));
  }

  it('may be one that was named', () => {
    expect(isHostAllowed('db.example:8081', ['DB.example'])).to.equal(true);
    expect(isHostAllowed('a.db.example', ['db.example'])).to.equal(false);
    expect(isHostAllowed('evil.example', 'any')).to.equal(true);
    expect(isHostAllowed(undefined, [])).to.equal(true);
  });
});
