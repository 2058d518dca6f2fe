import { expect } from 'chai';
import { formatAddress, parseAddress } from './address.ts';

describe('an address of a node', () => {
  it('is read as it is written, for names, IPv4 and IPv6', () => {
    for (const host of ['db-0.nodes', '10.0.0.1', '::1', 'fe80::1%eth0']) {
      const address = { host, port: 29_015 };
      expect(parseAddress(formatAddress(address))).to.deep.equal(address);
    }
  });

  it('has a host and a port', () => {
    for (const text of ['', 'host', 'host:', ':1', 'host:0', 'host:65536', '::1:29015', 'a b:1']) {
      expect(parseAddress(text), text).to.equal(undefined);
    }
  });
});
