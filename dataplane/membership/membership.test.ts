import { expect } from 'chai';
import { createRequest, rolesOfText } from '../security/certificates.ts';
import type { Authority } from './authority.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { StoredAuthority } from './cluster-files.ts';
import { copyOf, emptyDisk, seenBy, startMember } from './testing/member-node.ts';
import type { Disk, Member, MemberOptions } from './testing/member-node.ts';
import { until } from './testing/mesh-node.ts';

describe('membership in a cluster', function cluster() {
  this.timeout(60_000);
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

  const found = (): Promise<Member> => start(emptyDisk(), { name: 'a' });

  async function join(
    contact: Member,
    name: string,
    disk = emptyDisk(),
    changes: Partial<MemberOptions> = {},
  ): Promise<Member> {
    const { token, authorityHash: hash } = await contact.membership.admissions.createToken();
    const options = { name, join: [contact.membership.address], token, hash };
    return start(disk, { ...options, ...changes });
  }

  const failureOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };

  const sees = (member: Member, wanted: Readonly<Record<string, string>>): Promise<void> =>
    until(() => JSON.stringify(seenBy(member)) === JSON.stringify(wanted));

  afterEach(async () => {
    await Promise.all([...open].map(stop));
  });

  const certifiedRolesOf = ({ membership }: Member) =>
    rolesOfText(membership.credentials.certificate);

  it('certifies the roles of its nodes, and at their start those of an earlier release that named none', async () => {
    const a = await found();
    const b = await join(a, 'b');
    expect([certifiedRolesOf(a), certifiedRolesOf(b)]).to.deep.equal([['data'], ['coordinator']]);
    await stop(b);
    // As an earlier release has left both nodes behind.
    const { privateKey, request } = await createRequest();
    const { nodeId } = b.membership;
    const former = await (a.authority as Authority).certify(nodeId, request, []);
    writeFile(b.disk.files, 'credentials', { ...former, nodeId, privateKey });
    await stop(a);
    const stored = readFile(a.disk.files, 'authority');
    writeFile(a.disk.files, 'authority', { ...(stored as StoredAuthority), roles: {} });
    const founder = await start(a.disk, { name: 'a' });
    const again = await start(b.disk, {
      name: 'b',
      roles: ['coordinator'],
      join: [founder.membership.address],
    });
    await until(() => certifiedRolesOf(again)?.join() === 'coordinator');
  });

  it('gives a node other roles for a token alone', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await stop(b);
    const roles = ['consensus'] as const;
    const stubborn = await start(b.disk, { name: 'b', roles });
    await until(() => stubborn.log.some(({ message }) => /does not name its roles/.test(message)));
    expect(certifiedRolesOf(stubborn)).to.deep.equal(['coordinator']);
    await stop(stubborn);
    const admitted = await join(a, 'b', b.disk, { roles });
    expect(certifiedRolesOf(admitted)).to.deep.equal(['consensus']);
    expect(admitted.membership.nodeId).to.equal(b.membership.nodeId);
    await sees(a, { b: 'alive' });
  });

  it('is founded by one node and joined by others, through any member', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(b, { a: 'alive' });
    const c = await join(b, 'c');
    await Promise.all([
      sees(a, { b: 'alive', c: 'alive' }),
      sees(b, { a: 'alive', c: 'alive' }),
      sees(c, { a: 'alive', b: 'alive' }),
    ]);
    expect(new Set([a, b, c].map(({ membership }) => membership.clusterId)).size).to.equal(1);
    expect(new Set([a, b, c].map(({ membership }) => membership.nodeId)).size).to.equal(3);
    expect([a, b, c].map(({ log }) => log[0]?.message)).to.deep.equal([
      'founding',
      'joining',
      'joining',
    ]);
    const view = c.membership.members.find(({ name }) => name === 'a');
    await until(() =>
      c.membership.members.every(({ isSelf, isConnected }) => isSelf || isConnected),
    );
    expect(view).to.deep.include({ roles: ['data'], version: '1.2.3', isAuthority: true });
    expect(view?.certificateExpiresAt).to.be.greaterThan(Date.now());
  });

  it('is left in an orderly way, and rejoined under the same ID without a token', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(a, { b: 'alive' });
    const id = b.disk.nodeId;
    await stop(b);
    await sees(a, { b: 'left' });
    const again = await start(b.disk, { name: 'b' });
    expect(again.log[0]?.message).to.equal('rejoining');
    await sees(a, { b: 'alive' });
    await sees(again, { a: 'alive' });
    expect(again.disk.nodeId).to.equal(id);
  });

  it('is rejoined by the node that founded it, which founds no second one', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(a, { b: 'alive' });
    const { clusterId } = a.disk;
    await stop(a);
    await sees(b, { a: 'left' });
    const again = await start(a.disk, { name: 'a', found: true });
    expect([again.log[0]?.message, again.disk.clusterId]).to.deep.equal(['rejoining', clusterId]);
    await sees(b, { a: 'alive' });
    await sees(again, { b: 'alive' });
    // It still signs, and knows whom it has certified.
    await join(again, 'c');
    await sees(b, { a: 'alive', c: 'alive' });
  });

  it('is refused with a used token, a wrong one, and the hash of another cluster; both sides know', async () => {
    const a = await found();
    const { token, authorityHash: hash } = await a.membership.admissions.createToken();
    const options = { name: 'b', join: [a.membership.address], token, hash };
    await start(emptyDisk(), options);
    const used = await failureOf(start(emptyDisk(), { ...options, name: 'c' }));
    expect(used).to.match(/refused this node: The join token is wrong, used or expired/);
    const guessed = { ...options, name: 'c', token: 'aaaaaa.aaaaaaaaaaaaaaaa' };
    expect(await failureOf(start(emptyDisk(), guessed))).to.match(/wrong, used or expired/);
    const reasons = a.log.filter(({ message }) => message === 'a connection of a node is refused');
    expect(reasons.length).to.equal(2);
    expect(reasons[0]?.reason).to.match(/The join token is wrong/);
    const other = await found();
    const wrong = { ...options, name: 'c', join: [other.membership.address] };
    expect(await failureOf(start(emptyDisk(), wrong))).to.match(/belongs to another cluster/);
    expect(await failureOf(start(emptyDisk(), { name: 'd', join: options.join }))).to.match(
      /there is no credential/,
    );
  });

  it('is refused to a second node with data and to a second node of a name', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(a, { b: 'alive' });
    expect(await failureOf(join(a, 'b'))).to.match(/A node named b is a member already/);
    expect(await failureOf(join(b, 'c', emptyDisk(), { roles: ['data'] }))).to.match(
      /The data of this cluster is on node a/,
    );
  });

  it('is refused to a copy of a data directory while the node runs', async () => {
    const a = await found();
    const b = await join(a, 'b');
    await sees(a, { b: 'alive' });
    await until(() => b.disk.files.read('peers.json')?.includes(a.membership.nodeId) === true);
    const copy = copyOf(b.disk);
    expect(await failureOf(start(copy, { name: 'b' }))).to.match(/has the same node ID/);
    expect(a.log.some(({ message }) => message === 'a node is refused')).to.equal(true);
    await sees(a, { b: 'alive' });
  });

  it('takes new gossip keys without a false death, and who was away takes them on return', async () => {
    const a = await found();
    const [b, c] = [await join(a, 'b'), await join(a, 'c')];
    await sees(a, { b: 'alive', c: 'alive' });
    await sees(b, { a: 'alive', c: 'alive' });
    await stop(c);
    await sees(a, { b: 'alive', c: 'left' });
    await sees(b, { a: 'alive', c: 'left' });
    const before = a.membership.keyIds;
    for (let round = 0; round < 3; round += 1) await a.membership.rotateKeys();
    expect(a.membership.keyIds).not.to.deep.equal(before);
    expect(b.membership.keyIds).to.deep.equal(a.membership.keyIds);
    const again = await start(c.disk, { name: 'c' });
    await sees(a, { b: 'alive', c: 'alive' });
    await until(() => again.membership.keyIds.join() === a.membership.keyIds.join());
    const deaths = [a, b].flatMap(({ log }) =>
      log.filter(({ message }) => message.endsWith('dead')),
    );
    expect(deaths).to.deep.equal([]);
  });

  it('renews certificates at half of their lifetime, and is not disturbed by it', async () => {
    const short = { certificateLifetimeMs: 4_000 };
    const a = await start(emptyDisk(), { name: 'a', ...short });
    const b = await join(a, 'b', emptyDisk(), short);
    await sees(b, { a: 'alive' });
    const expiry = (): number =>
      a.membership.members.find(({ name }) => name === 'b')?.certificateExpiresAt ?? 0;
    const first = expiry();
    await until(() => expiry() > first);
    const second = expiry();
    await until(() => expiry() > second);
    expect(seenBy(a)).to.deep.equal({ b: 'alive' });
    expect(b.failures).to.deep.equal([]);
  });
});
