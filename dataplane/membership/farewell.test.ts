import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { noBytes } from '../common/bytes.ts';
import type { Member, Status } from '../gossip/member.ts';
import { ConnectionLostError } from '../net/errors.ts';
import { farewellMs, sayFarewell } from './farewell.ts';

const memberOf = (id: string, status: Status = 'alive'): Member => ({
  id,
  status,
  incarnation: 1,
  address: '127.0.0.1:1',
});

/** A node that leaves, on a clock that moves only while the node waits. */
class Leaver {
  at = 0;
  members: Member[] = [memberOf('own')];
  /** When each member answers its next requests; undefined: the session ends. */
  readonly answers = new Map<string, (number | undefined)[]>();
  readonly told: string[] = [];
  readonly #due: { readonly at: number; readonly run: () => void }[] = [];

  add(id: string, ...answers: (number | undefined)[]): void {
    this.members.push(memberOf(id));
    this.answers.set(id, answers);
  }

  #request(id: string): Promise<Uint8Array> {
    this.told.push(id);
    const at = this.answers.get(id)?.shift();
    if (at === undefined) return Promise.reject(new ConnectionLostError('The connection is lost.'));
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#due.push({ at, run: () => resolve(noBytes) });
    return promise;
  }

  /** How long it takes. */
  async leave(): Promise<number> {
    const peers = () =>
      [...this.answers.keys()].map((id) => ({ id, introduction: undefined as never }));
    await sayFarewell({
      clock: {
        now: () => this.at,
        sleep: async (ms) => {
          this.at += ms;
          for (const { at, run } of this.#due) if (at <= this.at) run();
          await turn();
        },
      },
      mesh: {
        get peers() {
          return peers();
        },
        request: (id) => this.#request(id),
      },
      detector: { gossip: { id: 'own', members: this.members }, leave: () => () => noBytes },
    });
    return this.at;
  }
}

describe('the farewell of a node', () => {
  it('waits until every member has answered, also a slow one', async () => {
    const node = new Leaver();
    node.add('a', 700);
    node.add('b', 900);
    expect(await node.leave()).to.equal(900);
    expect(node.told).to.deep.equal(['a', 'b']);
  });

  it('is said again through the next session when a session ends before the answer', async () => {
    const node = new Leaver();
    node.add('a', undefined, undefined, 100);
    expect(await node.leave()).to.equal(100);
    expect(node.told).to.deep.equal(['a', 'a', 'a']);
  });

  it('does not wait long for the others once one member knows, which passes it on', async () => {
    const node = new Leaver();
    node.add('a', 400);
    node.add('stopped', Infinity);
    expect(await node.leave()).to.equal(1_400);
  });

  it('ends when nobody answers', async () => {
    const node = new Leaver();
    node.add('a', Infinity);
    expect(await node.leave()).to.equal(farewellMs);
  });

  it('waits for nobody who is gone, and not at all when the node is alone', async () => {
    const node = new Leaver();
    expect(await node.leave()).to.equal(0);
    node.members.push(memberOf('dead', 'dead'), memberOf('left', 'left'));
    expect(await node.leave()).to.equal(0);
  });

  it('goes to those that are connected, and no members yet', async () => {
    const node = new Leaver();
    node.answers.set('a', [400]);
    expect(await node.leave()).to.equal(400);
    expect(node.told).to.deep.equal(['a']);
  });

  it('does not wait for a member that leaves at the same time', async () => {
    const node = new Leaver();
    node.add('a', Infinity);
    const leaving = node.leave();
    node.members.splice(1, 1, memberOf('a', 'left'));
    expect(await leaving).to.equal(20);
  });
});
