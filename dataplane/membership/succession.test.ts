import { expect } from 'chai';
import { authorityHash, createAuthority, rolesOfText } from '../security/certificates.ts';
import { authorityOf } from '../security/certificates.ts';
import type { Authority } from './authority.ts';
import { stateKeys } from './member-view.ts';
import type { Succession } from './succession.ts';
import { emptyDisk, seenBy, startMember } from './testing/member-node.ts';
import type { Disk, Member, MemberOptions } from './testing/member-node.ts';
import { until } from './testing/mesh-node.ts';
import { signTrust } from './trust.ts';

describe('the replacement of the authority of a cluster', function replacement() {
  this.timeout(120_000);
  const open = new Set<Member>();

  const start = async (disk: Disk, options: MemberOptions): Promise<Member> => {
    const member = await startMember(disk, options);
    open.add(member);
    return member;
  };

  const stop = async (member: Member): Promise<void> => {
    open.delete(member);
    await member.membership.stop();
  };

  afterEach(async () => {
    await Promise.all([...open].map(stop));
  });

  const found = (disk = emptyDisk()): Promise<Member> => start(disk, { name: 'a' });

  async function join(contact: Member, name: string): Promise<Member> {
    const { token, authorityHash: hash } = await contact.membership.admissions.createToken();
    return start(emptyDisk(), { name, join: [contact.membership.address], token, hash });
  }

  const sees = (member: Member, wanted: Readonly<Record<string, string>>): Promise<void> =>
    until(() => JSON.stringify(seenBy(member)) === JSON.stringify(wanted));

  const successionOf = ({ membership }: Member): Succession =>
    membership.trust.succession as Succession;
  const hashOf = ({ authority }: Member): string => (authority as Authority).hash;
  const trustedBy = ({ membership }: Member): readonly string[] =>
    membership.credentials.authorities.map(authorityHash);
  const certifierOf = ({ membership }: Member): string => {
    const { certificate, authorities } = membership.credentials;
    return authorityHash(authorityOf(certificate, authorities) ?? '');
  };
  const isStable = (member: Member): boolean => successionOf(member).report.phase === 'Stable';

  it('gives every node a certificate of the new one, three times, without a death', async () => {
    const a = await found();
    const [b, c] = [await join(a, 'b'), await join(a, 'c')];
    await sees(a, { b: 'alive', c: 'alive' });
    const hashes = new Set([hashOf(a)]);
    for (let round = 0; round < 3; round += 1) {
      await successionOf(a).begin();
      await until(() => isStable(a));
      hashes.add(hashOf(a));
      const only = [hashOf(a)];
      // The last step reaches the others with their next look.
      await until(() => [a, b, c].every((each) => trustedBy(each).join() === only.join()));
      expect([a, b, c].map(certifierOf)).to.deep.equal([...only, ...only, ...only]);
    }
    expect(hashes.size).to.equal(4);
    expect(successionOf(a).report).to.deep.equal({
      phase: 'Stable',
      signing: hashOf(a),
      trusted: [hashOf(a)],
      waitingFor: [],
    });
    const d = await join(c, 'd');
    await sees(d, { a: 'alive', b: 'alive', c: 'alive' });
    expect(rolesOfText(b.membership.credentials.certificate)).to.deep.equal(['coordinator']);
    const troubles = [a, b, c].flatMap(({ log }) =>
      log.filter(({ message }) => /dead|refused|not renewed/.test(message)),
    );
    expect(troubles).to.deep.equal([]);
    expect(b.membership.trust.succession).to.equal(undefined);
  });

  it('waits for a node that is down, over a restart of the authority, and takes it back', async () => {
    const disk = emptyDisk();
    const a = await found(disk);
    const [b, c] = [await join(a, 'b'), await join(a, 'c')];
    await sees(a, { b: 'alive', c: 'alive' });
    await stop(c);
    const before = hashOf(a);
    await successionOf(a).begin();
    await until(() => successionOf(a).report.waitingFor.join() === `c (${c.membership.nodeId})`);
    const { phase, signing } = successionOf(a).report;
    expect([phase, signing]).to.deep.equal(['Distributing', before]);
    await stop(a);
    const again = await found(disk);
    await sees(b, { a: 'alive', c: 'left' });
    // A second wish continues what is under way.
    await successionOf(again).begin();
    expect(successionOf(again).report.trusted).to.have.lengthOf(2);
    expect(successionOf(again).report.phase).to.equal('Distributing');
    const back = await start(c.disk, { name: 'c', join: [again.membership.address] });
    await until(() => isStable(again));
    expect(hashOf(again)).not.to.equal(before);
    await until(() => trustedBy(back).join() === hashOf(again));
    await sees(back, { a: 'alive', b: 'alive' });
  });

  it('does not wait for a node that was removed, and signs orders once more for nodes that join later', async () => {
    const a = await found();
    const [b, c] = [await join(a, 'b'), await join(a, 'c')];
    await sees(a, { b: 'alive', c: 'alive' });
    await stop(c);
    await successionOf(a).begin();
    await until(() => trustedBy(b).length === 2);
    const gone = c.membership.nodeId;
    const order = {
      type: 'remove',
      nodeId: gone,
      at: Date.now(),
      reason: 'its disk is lost',
    } as const;
    b.membership.keeper.adopt([(a.authority as Authority).signOrder(order)]);
    await until(() => isStable(a));
    await until(() => trustedBy(b).join() === hashOf(a));
    const d = await join(b, 'd');
    await until(() => d.membership.isRemoved(gone));
    expect(d.log.filter(({ message }) => /orders.*refused/.test(message))).to.deep.equal([]);
  });

  it('takes no authority from a member, and none back that was dropped', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(a, { b: 'alive' });
    const { clusterId } = a.membership;
    const first = a.disk.files.read('authority.json') ?? '';
    await successionOf(a).begin();
    await until(() => isStable(a));
    await until(() => trustedBy(b).join() === hashOf(a));
    const own = await createAuthority(clusterId, Date.now(), 86_400_000);
    const dropped = JSON.parse(first) as {
      readonly privateKey: string;
      readonly certificate: string;
    };
    const present = a.membership.credentials.authorities;
    const said = [
      signTrust({ clusterId, version: 100, authorities: [own.certificate] }, own.privateKey),
      signTrust(
        { clusterId, version: 101, authorities: [...present, dropped.certificate] },
        dropped.privateKey,
      ),
      'nothing that can be read',
    ];
    const refused = () =>
      a.log.filter(({ message }) => message.startsWith('the certificate authorities that a node'));
    for (const [at, text] of said.entries()) {
      b.membership.describe(stateKeys.trust, text);
      // The state is spread at once.
      b.membership.setDraining(at % 2 === 0);
      await until(() => refused().length === at + 1);
    }
    expect(trustedBy(a)).to.deep.equal([hashOf(a)]);
    expect(isStable(a)).to.equal(true);
    expect(seenBy(a)).to.deep.equal({ b: 'alive' });
  });
});
