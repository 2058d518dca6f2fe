import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { parseAddress } from '../common/address.ts';
import { applicationProtocols } from '../net/protocols.ts';
import { localNetwork } from '../gossip/options.ts';
import { AttackedDetector } from './testing/attacks.ts';
import type { Authority } from './authority.ts';
import { meshNode, nodeIdOf, testAuthority, testCredentials, until } from './testing/mesh-node.ts';

describe('a node under attack', function attacked() {
  this.timeout(240_000);

  it('takes none of 20,000 forged, cut, changed, repeated and oversized datagrams', () => {
    const target = new AttackedDetector(20_000);
    const before = target.counts.taken;
    let refusable = 0;
    for (let round = 0; round < 20_000; round += 1) {
      if (target.attack() === 'refusable') refusable += 1;
      if (round % 100 === 0) target.detector.gossip.tick();
    }
    const { sent, taken, refused } = target.counts;
    expect(sent).to.equal(20_001);
    // What was taken came from a member that speaks for itself.
    expect(taken - before).to.be.at.most(refusable);
    const reasons = ['length', 'unknownKey', 'decryption', 'signature', 'replay', 'receiver'];
    for (const reason of reasons) {
      expect(refused.get(reason), reason).to.be.greaterThan(0);
    }
    expect(refused.get('message')).to.be.greaterThan(0);
    expect(refused.get('incarnation')).to.be.greaterThan(0);
    expect(target.detector.gossip.members.length).to.be.at.most(localNetwork.membersMax);
    // It is not talked into more than an answer to each message that it took, and some gossip.
    expect(target.answers).to.be.at.most(4 * taken + 4_000);
  });

  it('refuses a node whose certificate has expired, and both sides log the reason', async () => {
    const [valid, expired] = [await testAuthority(), await testAuthority(-1_000)];
    const ofBoth = [
      ...(await testCredentials(valid, nodeIdOf('a'))).authorities,
      ...(await testCredentials(expired, nodeIdOf('b'))).authorities,
    ];
    const credentials = async (of: Authority, letter: string) => ({
      ...(await testCredentials(of, nodeIdOf(letter))),
      authorities: ofBoth,
    });
    const a = await meshNode(valid, 'a', { credentials: await credentials(valid, 'a') });
    const b = await meshNode(expired, 'b', { credentials: await credentials(expired, 'b') });
    b.targets = [{ id: a.id, address: a.address }];
    const says = /The certificate is valid from .* Renew it/;
    await until(() => a.refused.some(({ message }) => says.test(message)));
    await until(() => b.warnings.some(({ reason = '' }) => says.test(reason)));
    expect(b.warnings[0]?.message).to.equal('a node cannot be connected');
    expect([...a.mesh.peers, ...b.mesh.peers]).to.deep.equal([]);
    await b.close();
    await a.close();
  });

  it('closes connections of strangers, whatever they send, and serves the others', async () => {
    const authority = await testAuthority();
    const [a, b] = [await meshNode(authority, 'a'), await meshNode(authority, 'b')];
    const { host, port } = parseAddress(a.address) ?? { host: '', port: 0 };
    for (let round = 0; round < 60; round += 1) {
      const payload = randomBytes(1 + ((round * 397) % 70_000));
      const protocol = round % 2 === 0 ? applicationProtocols.session : applicationProtocols.join;
      const socket =
        round % 3 === 0
          ? connect(port, host)
          : connectTls({ host, port, ALPNProtocols: [protocol], rejectUnauthorized: false });
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(payload);
      await once(socket, 'close');
    }
    b.targets = [{ id: a.id, address: a.address }];
    await until(() => a.mesh.peers.length === 1 && b.mesh.peers.length === 1);
    const answer = await b.mesh.request(a.id, 'gossip', Buffer.from('still here'));
    expect(Buffer.from(answer).toString()).to.equal('b says still here');
    expect(a.refused.length).to.be.greaterThan(20);
    await b.close();
    await a.close();
  });
});
