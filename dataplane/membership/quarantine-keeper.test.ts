import { expect } from 'chai';
import { ByteWriter } from '../common/byte-writer.ts';
import { encodeMessage } from '../gossip/codec.ts';
import type { Message } from '../gossip/message.ts';
import { machineClock } from '../node/clock.ts';
import { readFile } from './cluster-files.ts';
import type { Order } from './orders.ts';
import { copyOf, emptyDisk, seenBy, startMember } from './testing/member-node.ts';
import type { Disk, Member, MemberOptions } from './testing/member-node.ts';
import { until } from './testing/mesh-node.ts';

describe('quarantine and removal in a cluster', function cluster() {
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

  async function join(contact: Member, name: string, changes: Partial<MemberOptions> = {}) {
    const { token, authorityHash: hash } = await contact.membership.admissions.createToken();
    const options = { name, join: [contact.membership.address], token, hash };
    return start(emptyDisk(), { ...options, ...changes });
  }

  const sees = (member: Member, wanted: Readonly<Record<string, string>>): Promise<void> =>
    until(() => JSON.stringify(seenBy(member)) === JSON.stringify(wanted));

  /** A cluster of three whose sessions all stand. */
  async function three(changes: Partial<MemberOptions> = {}): Promise<[Member, Member, Member]> {
    const a = await start(emptyDisk(), { name: 'a' });
    const [b, c] = [await join(a, 'b', changes), await join(a, 'c')];
    for (const member of [a, b, c]) await until(() => member.membership.mesh.peers.length === 2);
    return [a, b, c];
  }

  const idOf = ({ membership }: Member): string => membership.nodeId;

  const viewOf = (member: Member, of: Member) =>
    member.membership.members.find(({ id }) => id === idOf(of));

  /** Every one of them, the accused among them, knows why. */
  async function knows(members: readonly Member[], accused: Member, reason: RegExp): Promise<void> {
    // A member that does not know a release yet still has the earlier reason.
    for (const member of members) {
      await until(() => {
        const view = viewOf(member, accused);
        return view?.status === 'quarantined' && reason.test(view.reason);
      });
    }
    await until(() => reason.test(accused.membership.quarantine?.reason ?? ''));
  }

  /** A number for a message that the program of a member has not used, and does not use in a test. */
  let numbers = 400;
  function numberOf({ disk }: Member): number {
    const { sequence } = readFile(disk.files, 'start') ?? { sequence: 0 };
    numbers += 1;
    return sequence + numbers;
  }

  /** A member says something through its session that its program would not say. */
  async function say(
    from: Member,
    to: Member,
    message: Message,
    number = numberOf(from),
  ): Promise<void> {
    const payload = new ByteWriter().u64(number).bytes(encodeMessage(message)).finish();
    await from.membership.mesh.request(idOf(to), 'gossip', payload);
  }

  const envelope = (from: Member, to: Member) => ({ from: idOf(from), to: idOf(to), updates: [] });

  const order = (
    founder: Member,
    of: Member,
    type: Order['type'],
    at = machineClock.timeOfDay(),
  ) => {
    const { authority } = founder;
    if (authority === undefined) throw new Error('it did not found the cluster');
    return authority.signOrder({ type, nodeId: idOf(of), at, reason: 'a test' });
  };

  afterEach(async () => {
    await Promise.all([...open].map(stop));
  });

  it('quarantines a member that passes on what others have not signed', async () => {
    const [a, b, c] = await three();
    const forge = (to: Member): Promise<void> =>
      say(b, to, {
        ...envelope(b, to),
        type: 'syncDelta',
        delta: {
          members: [],
          states: [
            {
              id: idOf(to === a ? c : a),
              generation: machineClock.timeOfDay(),
              from: 0,
              version: 1,
              entries: [{ key: 'name', value: 'forged', version: 1 }],
              signature: new Uint8Array(64),
            },
          ],
        },
      });
    for (let at = 0; at < 3; at += 1) await forge(a);
    await until(() => a.membership.refusedFrames.get('stateSignature') === 3);
    // One member alone cannot.
    expect([viewOf(a, b)?.status, viewOf(c, b)?.status]).to.deep.equal(['alive', 'alive']);
    for (let at = 0; at < 3; at += 1) await forge(c);
    await knows([a, b, c], b, /sends statements whose signatures are not valid .* 2 of 2 other/);
    expect(viewOf(a, c)?.name).to.equal('c');
  });

  it('quarantines a member that repeats messages', async () => {
    const [a, b, c] = await three();
    for (const to of [a, c]) {
      const number = numberOf(b);
      for (let at = 0; at < 4; at += 1) {
        await say(b, to, { ...envelope(b, to), type: 'gossip' }, number);
      }
    }
    await knows([a, b, c], b, /repeats messages/);
    expect(a.membership.refusedFrames.get('replay')).to.equal(3);
  });

  it('quarantines a member whose state is older than what it has said', async () => {
    const [a, b, c] = await three();
    for (const to of [a, c]) {
      for (let at = 0; at < 3; at += 1) {
        await say(b, to, {
          ...envelope(b, to),
          type: 'syncRequest',
          digest: { versions: new Map([[idOf(b), { generation: 1, version: 1 }]]), members: [] },
        });
      }
    }
    await knows([a, b, c], b, /older than what it has said before/);
  });

  it('quarantines a member whose clock is wrong', async () => {
    const clock = { ...machineClock, timeOfDay: () => machineClock.timeOfDay() + 60_000 };
    const [a, b, c] = await three({ clock });
    await knows([a, b, c], b, /has a clock that is wrong \(60 s ahead of this one\)/);
    // Which clock is wrong, the majority decides.
    expect([viewOf(b, a)?.status, viewOf(b, c)?.status]).to.deep.equal(['alive', 'alive']);
  });

  it('quarantines a node ID that two processes have', async () => {
    const [a, b, c] = await three();
    const ids = [a, c].map(idOf);
    await until(() => ids.every((id) => b.disk.files.read('peers.json')?.includes(id) === true));
    const copy = copyOf(b.disk);
    for (let at = 0; at < 6; at += 1) {
      // It finds one of the others, and ends.
      const { nodeId: id, address } = ([a, c][at % 2] as Member).membership;
      copy.files.write('peers.json', JSON.stringify({ format: 1, peers: [{ id, address }] }));
      await start(copy, { name: 'b' }).then(stop, () => undefined);
    }
    await knows([a, b, c], b, /has the same node ID as another process/);
  });

  it('quarantines a member that is lost and found again and again', async () => {
    const [a, b, c] = await three();
    for (const { membership } of [a, c]) {
      for (let at = 0; at < 10; at += 1) membership.keeper.note(idOf(b), 'flapping', 'lost');
    }
    await knows([a, b, c], b, /is lost and found again and again/);
  });

  it('leaves alone who is accused in a cluster of two', async () => {
    const a = await start(emptyDisk(), { name: 'a' });
    const b = await join(a, 'b');
    await until(() => a.membership.mesh.peers.length === 1);
    const number = numberOf(b);
    for (let at = 0; at < 9; at += 1) {
      await say(b, a, { ...envelope(b, a), type: 'gossip' }, number);
    }
    await until(() => a.membership.refusedFrames.get('replay') === 8);
    a.membership.keeper.tick();
    expect(viewOf(a, b)?.status).to.equal('alive');
  });

  it('lets a quarantined member decide nothing, and watch', async () => {
    const [a, b, c] = await three();
    a.membership.keeper.adopt([order(a, b, 'quarantine')]);
    await knows([a, b, c], b, /was quarantined by an administrator: a test/);
    let refusal = '';
    await b.membership.mesh
      .request(idOf(a), 'createToken', new Uint8Array())
      .catch(({ message }: Error) => (refusal = message));
    expect(refusal).to.match(/is quarantined and may not send the request "createToken"/);
    await b.membership.mesh.request(idOf(a), 'readRing', new Uint8Array());
    await sees(b, { a: 'alive', c: 'alive' });
  });

  it('is ended by an administrator, for a member that accuses itself also after a restart', async () => {
    const [a, b, c] = await three();
    b.membership.keeper.quarantineSelf('segment 3 is damaged');
    await knows([a, b, c], b, /has a damaged write-ahead log: segment 3 is damaged/);
    await stop(b);
    await sees(a, { b: 'left', c: 'alive' });
    const again = await start(b.disk, { name: 'b' });
    await knows([a, again, c], again, /segment 3 is damaged/);
    // Through any member.
    c.membership.keeper.adopt([order(a, again, 'release')]);
    await sees(a, { b: 'alive', c: 'alive' });
    await until(() => again.membership.quarantine === undefined);
    // The damage that was there is known.
    again.membership.keeper.quarantineSelf('segment 3 is damaged');
    expect(again.membership.quarantine).to.equal(undefined);
    again.membership.keeper.quarantineSelf('segment 4 is damaged');
    await knows([a, again, c], again, /segment 4 is damaged/);
  });

  it('is ended by an administrator for what was seen before, and not for what is seen then', async () => {
    const [a, b, c] = await three();
    const repeat = async (): Promise<void> => {
      for (const to of [a, c]) {
        const number = numberOf(b);
        for (let at = 0; at < 4; at += 1) {
          await say(b, to, { ...envelope(b, to), type: 'gossip' }, number);
        }
      }
    };
    await repeat();
    await knows([a, b, c], b, /repeats messages/);
    b.membership.keeper.adopt([order(a, b, 'release')]);
    for (const member of [a, b, c]) {
      // An order that arrives after the new evidence would end this as well.
      await until(() => member.membership.keeper.orders.all.length === 1);
      await until(() => viewOf(member, b)?.status === 'alive');
    }
    await repeat();
    await knows([a, b, c], b, /repeats messages/);
  });

  it('revokes a node that is removed: nobody talks to it, and both sides of a refusal know why', async () => {
    const [a, b, c] = await three();
    await stop(b);
    await sees(a, { b: 'left', c: 'alive' });
    c.membership.keeper.adopt([order(a, b, 'remove')]);
    await sees(c, { a: 'alive' });
    await sees(a, { c: 'alive' });
    const again = await start(b.disk, { name: 'b' });
    const isRefused = ({ log }: Member): boolean =>
      log.some(({ reason }) => /An administrator removed node .* a test/.test(reason ?? ''));
    // The first that refuses it tells it why; then it asks nobody else.
    await until(() => isRefused(again) && (isRefused(a) || isRefused(c)));
    expect(again.membership.mesh.peers).to.deep.equal([]);
    expect([seenBy(a), seenBy(c)]).to.deep.equal([{ c: 'alive' }, { a: 'alive' }]);
    // Nor does a token bring its ID back.
    const { token, authorityHash: hash } = await a.membership.admissions.createToken();
    const options = { name: 'b', join: [a.membership.address], token, hash };
    const files = again.disk.files;
    await stop(again);
    files.remove('credentials.json');
    let refusal = '';
    await start(again.disk, options).catch(({ message }: Error) => (refusal = message));
    expect(refusal).to.match(/An administrator removed node/);
    // A new node may have the name.
    await join(a, 'b');
    await sees(c, { a: 'alive', b: 'alive' });
  });

  it('ends the session of a node that is removed while it runs, and takes no datagram of it', async () => {
    const [a, b, c] = await three();
    a.membership.keeper.adopt([order(a, b, 'remove')]);
    await until(() => b.membership.mesh.peers.length === 0);
    await sees(a, { c: 'alive' });
    await sees(c, { a: 'alive' });
    await until(() => (a.membership.refusedFrames.get('revoked') ?? 0) > 0);
    expect(b.log.some(({ reason }) => /An administrator removed node/.test(reason ?? ''))).to.equal(
      true,
    );
  });

  it('does not let a removed node start again, once it knows', async () => {
    const [a, b] = await three();
    b.disk.files.write(
      'orders.json',
      JSON.stringify({ format: 1, orders: [order(a, b, 'remove')] }),
    );
    await stop(b);
    let refusal = '';
    await start(b.disk, { name: 'b' }).catch(({ message }: Error) => (refusal = message));
    expect(refusal).to.match(/An administrator removed node .* join with an empty data directory/);
  });
});
