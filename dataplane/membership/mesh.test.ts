import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { machineClock } from '../node/clock.ts';
import type { Authority } from './authority.ts';
import type { Mesh } from './mesh.ts';
import { peerRequests, roles } from './peer-requests.ts';
import type { PeerRequestName, Role } from './peer-requests.ts';
import { meshNode, nodeIdOf, testAuthority, testCredentials, until } from './testing/mesh-node.ts';
import type { MeshNode, MeshNodeOptions } from './testing/mesh-node.ts';

describe('the mesh of sessions between nodes', () => {
  let authority: Authority;
  const open: MeshNode[] = [];

  before(async () => {
    authority = await testAuthority();
  });

  afterEach(async () => {
    for (const node of open.splice(0)) await node.close();
  });

  async function start(letter: string, options: MeshNodeOptions = {}): Promise<MeshNode> {
    const node = await meshNode(authority, letter, options);
    open.push(node);
    return node;
  }

  const namesOf = ({ mesh }: MeshNode): string =>
    mesh.peers
      .map(({ introduction }) => introduction.name)
      .sort()
      .join('');

  const ask = async (mesh: Mesh, id: string, text = 'x'): Promise<string> =>
    Buffer.from(await mesh.request(id, 'gossip', Buffer.from(text))).toString();

  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
      return 'none';
    } catch (error) {
      const { code, peerCode } = error as { code: string; peerCode?: string };
      return peerCode ?? code;
    }
  };

  it('connects all pairs of three nodes, whoever dials, by address or by ID', async () => {
    const [a, b, c] = [await start('a'), await start('b'), await start('c')];
    const all = [a, b, c].map(({ id, address }) => ({ id, address }));
    a.targets = all;
    b.targets = all;
    c.targets = [{ id: undefined, address: a.address }, ...all.slice(1)];
    await until(() => namesOf(a) === 'bc' && namesOf(b) === 'ac' && namesOf(c) === 'ab');
    expect(await ask(c.mesh, a.id, 'hello')).to.equal('c says hello');
    expect(await ask(a.mesh, c.id, 'hello')).to.equal('a says hello');
  });

  it('keeps one session when both have dialed, and requests under way end well', async () => {
    const [a, b] = [await start('a'), await start('b')];
    const over = new AbortController();
    const outcomes: string[] = [];
    const traffic = (async () => {
      while (!over.signal.aborted) {
        await sleep(1);
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          if (from.mesh.peer(to.id) !== undefined) outcomes.push(await ask(from.mesh, to.id));
        }
      }
    })();
    a.targets = [{ id: undefined, address: b.address }];
    b.targets = [{ id: undefined, address: a.address }];
    await until(() => namesOf(a) === 'b' && namesOf(b) === 'a' && outcomes.length > 50);
    over.abort();
    await traffic;
    expect([...new Set(outcomes)].sort()).to.deep.equal(['a says x', 'b says x']);
    expect([...a.warnings, ...b.warnings]).to.deep.equal([]);
  });

  it('answers what a node asks as soon as it is connected, while the other side still verifies it', async () => {
    const asked: Promise<string>[] = [];
    const b = await start('b', { connected: (mesh, { id }) => asked.push(ask(mesh, id)) });
    const a = await start('a', { verify: () => sleep(20) });
    a.targets = [{ id: b.id, address: b.address }];
    await until(() => asked.length === 1);
    expect(await Promise.all(asked)).to.deep.equal(['b says x']);
    expect(a.warnings).to.deep.equal([]);
  });

  it('reconnects to a node that has come back, and says once that it cannot', async () => {
    const a = await start('a');
    const credentials = await testCredentials(authority, nodeIdOf('b'));
    const former = await start('b', { credentials });
    a.targets = [{ id: former.id, address: former.address }];
    await until(() => namesOf(a) === 'b');
    await former.close();
    await until(() => a.lost.length === 1 && a.warnings.length === 1);
    expect(a.warnings[0]?.message).to.equal('a node cannot be connected');
    expect(await codeOf(ask(a.mesh, former.id))).to.equal('membership.unreachable');
    const present = await start('b', { credentials, instance: 'second' });
    a.targets = [{ id: present.id, address: present.address }];
    await until(() => namesOf(a) === 'b');
    expect(await ask(a.mesh, present.id)).to.equal('a says x');
  });

  it('refuses a second process with the ID of a node that answers, and both know why', async () => {
    const a = await start('a');
    const credentials = await testCredentials(authority, nodeIdOf('b'));
    const b = await start('b', { credentials });
    b.targets = [{ id: a.id, address: a.address }];
    await until(() => namesOf(a) === 'b');
    const copy = await start('b', { credentials, instance: 'a copy' });
    copy.targets = [{ id: a.id, address: a.address }];
    await until(() => copy.duplicates.length > 0);
    expect(copy.duplicates[0]?.message).to.match(/another process at .* has the same node ID/);
    expect(a.warnings[0]).to.include({ message: 'a node is refused' });
    expect(namesOf(copy)).to.equal('');
    expect(await ask(b.mesh, a.id)).to.equal('b says x');
  });

  it('lets a new process take the place of one that does not answer any more', async () => {
    const a = await start('a', {
      handlers: { gossip: () => new Promise(() => undefined) },
    });
    const credentials = await testCredentials(authority, nodeIdOf('b'));
    const paused = await start('b', { credentials });
    paused.targets = [{ id: a.id, address: a.address }];
    await until(() => namesOf(a) === 'b');
    // As if it were stopped: nothing of it is answered.
    paused.mesh.handle = () => new Promise(() => undefined);
    const next = await start('b', { credentials, instance: 'next' });
    next.targets = [{ id: a.id, address: a.address }];
    await until(() => a.mesh.peer(next.id)?.introduction.instance === 'next');
    expect(next.duplicates).to.deep.equal([]);
  });

  it('carries out nothing before a node has introduced itself', async () => {
    const a = await start('a');
    const b = await start('b');
    b.mesh.handle = () => new Promise(() => undefined);
    a.targets = [{ id: b.id, address: b.address }];
    await sleep(100);
    expect(namesOf(a)).to.equal('');
    expect(await codeOf(ask(a.mesh, b.id))).to.equal('membership.unreachable');
  });

  /** Why the sessions end of a node that dials and sends no introduction. */
  function endsOf({ mesh }: MeshNode): string[] {
    const reasons: string[] = [];
    const ended = mesh.ended.bind(mesh);
    mesh.ended = (session, reason) => {
      reasons.push(reason.message);
      ended(session, reason);
    };
    return reasons;
  }

  it('ends the session of a node that sends no introduction in time', async () => {
    const timer: Clock['timer'] = (ms, run) => machineClock.timer(ms / 50, run);
    const a = await start('a', { clock: { ...machineClock, timer } });
    const silent = await start('b');
    const reasons = endsOf(silent);
    await silent.dial(a);
    await until(() => reasons.length === 1);
    expect(reasons[0]).to.match(/did not introduce itself within 10000 ms/);
    expect(a.warnings.map(({ reason }) => reason)).to.deep.equal([
      'The node did not introduce itself within 10000 ms.',
    ]);
  });

  it('bounds the sessions that one node opens', async () => {
    // Nobody is too late for the other bound.
    const timer: Clock['timer'] = (ms, run) => machineClock.timer(ms * 50, run);
    const a = await start('a', { clock: { ...machineClock, timer } });
    const [greedy, honest] = [await start('b'), await start('c')];
    const reasons = endsOf(greedy);
    for (let count = 0; count < 10; count += 1) await greedy.dial(a);
    await until(() => reasons.length >= 2);
    expect(reasons.slice(0, 2).join()).to.match(/(A node has at most 8 sessions.*){2}/);
    honest.targets = [{ id: a.id, address: a.address }];
    await until(() => namesOf(honest) === 'a');
  });

  it('answers only what the roles of a node allow, and counts and logs what it refuses', async () => {
    const outcomes: Record<string, string[]> = {};
    for (const [at, role] of roles.entries()) {
      const a = await start('a');
      const b = await start('bcde'[at] ?? '', { roles: [role] });
      b.targets = [{ id: a.id, address: a.address }];
      await until(() => namesOf(a) !== '' && namesOf(b) !== '');
      for (const name of Object.keys(peerRequests) as PeerRequestName[]) {
        if (name === 'introduce') continue;
        const code = await codeOf(b.mesh.request(a.id, name, Buffer.from('x')));
        if (code !== 'none') (outcomes[role] ??= []).push(`${name} ${code}`);
      }
      const refused = outcomes[role] ?? [];
      const counted = [...a.mesh.refusals.counts.values()].reduce((sum, each) => sum + each, 0);
      expect(counted).to.equal(refused.length);
      expect(a.warnings.length).to.equal(Math.min(1, refused.length));
    }
    const code = 'membership.role_refused';
    const refusedTo: Partial<Record<Role, string[]>> = {
      coordinator: ['raft', 'snapshot', 'changeMetadata', 'readNeed'].map(
        (name) => `${name} ${code}`,
      ),
      observer: [
        'writeRing',
        'admit',
        'createToken',
        'editTable',
        'changeCatalog',
        'raft',
        'snapshot',
        'changeMetadata',
        'readNeed',
      ].map((name) => `${name} ${code}`),
    };
    expect(outcomes).to.deep.equal(refusedTo);
  });

  /** Every role and every request: what the certificate does not allow is refused, whatever the node says. */
  for (const [at, role] of roles.entries()) {
    it(`refuses to a node with a certificate for ${role} what other roles may send, though it says that it has all`, async () => {
      const a = await start('a');
      const b = await start('bcde'[at] ?? '', { roles, certified: [role] });
      b.targets = [{ id: a.id, address: a.address }];
      await until(() => namesOf(a) !== '' && namesOf(b) !== '');
      for (const name of Object.keys(peerRequests) as PeerRequestName[]) {
        if (name === 'introduce') continue;
        const allowed: readonly Role[] = peerRequests[name].roles;
        const code = await codeOf(b.mesh.request(a.id, name, Buffer.from('x')));
        const wanted = allowed.includes(role) ? 'none' : 'membership.role_refused';
        expect(`${name} ${code}`).to.equal(`${name} ${wanted}`);
      }
      const mayReplicate = role === 'data' || role === 'consensus';
      b.mesh.notify(a.id, 'raft', Buffer.from('x'), 'consensus');
      await ask(b.mesh, a.id);
      const refusedNotice = [...a.mesh.refusals.counts].some(([key]) => key.includes('raft'));
      expect(refusedNotice).to.equal(!mayReplicate);
    });
  }

  it('counts the roles of a certificate no longer than the node says that it has them', async () => {
    const a = await start('a');
    const b = await start('b', { roles: ['observer'], certified: ['data', 'consensus'] });
    b.targets = [{ id: a.id, address: a.address }];
    await until(() => namesOf(a) !== '' && namesOf(b) !== '');
    const outcomeOf = (name: PeerRequestName): Promise<string> =>
      codeOf(b.mesh.request(a.id, name, Buffer.from('x')));
    expect(await outcomeOf('editTable')).to.equal('membership.role_refused');
    // So that it can get another certificate.
    expect(await outcomeOf('renewCertificate')).to.equal('none');
  });

  it('opens every session once more when the certificate of the node names other roles', async () => {
    const a = await start('a');
    const b = await start('b', { certified: ['data'] });
    b.targets = [{ id: a.id, address: a.address }];
    await until(() => namesOf(a) !== '' && namesOf(b) !== '');
    b.mesh.reopen();
    await until(() => a.lost.length === 1);
    await until(() => namesOf(a) === 'b' && namesOf(b) === 'a');
    expect(await ask(b.mesh, a.id)).to.equal('b says x');
  });

  it('delivers notices of the roles that may send them, whatever their size, and counts others', async () => {
    const sizes: number[] = [];
    const take = (payload: Uint8Array): void => void sizes.push(payload.byteLength);
    const a = await start('a', {
      notices: { raft: take },
      handlers: {
        raft: async (payload) => {
          take(payload);
          return new Uint8Array();
        },
      },
    });
    const [data, coordinator] = [
      await start('b', { roles: ['data'] }),
      await start('c', { roles: ['coordinator'] }),
    ];
    for (const { targets } of [data, coordinator]) targets.push({ id: a.id, address: a.address });
    await until(() => namesOf(a) === 'bc' && namesOf(data) !== '' && namesOf(coordinator) !== '');
    const say = ({ mesh }: MeshNode, bytes: number): boolean =>
      mesh.notify(a.id, 'raft', new Uint8Array(bytes), 'consensus');
    expect([say(data, 10), say(data, 6_000_000), say(coordinator, 11)]).to.deep.equal([
      true,
      true,
      true,
    ]);
    await until(() => sizes.length === 2 && a.mesh.refusals.counts.size === 1);
    expect(sizes).to.deep.equal([10, 6_000_000]);
    expect([...a.mesh.refusals.counts]).to.deep.equal([['raft', 1]]);
    expect(data.mesh.notify(coordinator.id, 'raft', new Uint8Array(1), 'consensus')).to.equal(
      false,
    );
  });
});
