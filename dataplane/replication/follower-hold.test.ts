import { expect } from 'chai';
import { FollowerHold } from './follower-hold.ts';

/** A hold of the log that a test looks at. */
class Hold {
  readonly positions = new Map<number, number>();
  lost: Error | undefined;
  isOver = false;

  advance(group: number, index: number): void {
    this.positions.set(group, Math.max(index, this.positions.get(group) ?? 0));
  }

  end(): void {
    this.isOver = true;
  }
}

function start(): { readonly followers: FollowerHold; readonly holds: Hold[] } {
  const holds: Hold[] = [];
  const hold = (): Hold => {
    const made = new Hold();
    holds.push(made);
    return made;
  };
  return { followers: new FollowerHold({ hold }), holds };
}

const group = (
  handedOver: number,
  matches: Readonly<Record<string, number>>,
  number = 1,
): { group: number; handedOver: number; matches: ReadonlyMap<string, number> } => ({
  group: number,
  handedOver,
  matches: new Map(Object.entries(matches)),
});

describe('what the log keeps for other members', () => {
  it('is what the slowest member needs, and nothing where this node does not lead', () => {
    const { followers, holds } = start();
    followers.update([group(90, { a: 100, b: 95, c: 40 }), group(70, {}, 2)]);
    expect([...(holds[0]?.positions ?? [])]).to.deep.equal([
      [1, 40],
      [2, 70],
    ]);
    followers.update([group(98, { a: 100, b: 100, c: 99 })]);
    expect(holds[0]?.positions.get(1)).to.equal(98);
    expect(holds).to.have.length(1);
  });

  it('is nothing any more for members with which a hold went beyond its bounds', () => {
    const { followers, holds } = start();
    followers.update([group(90, { a: 90, b: 90, c: 10 })]);
    if (holds[0] !== undefined) holds[0].lost = new Error('too much');
    followers.update([group(100, { a: 100, b: 95, c: 10 })]);
    expect(holds[1]?.positions.get(1)).to.equal(95);
    followers.update([group(120, { a: 120, b: 120, c: 110 })]);
    expect(holds[1]?.positions.get(1)).to.equal(110);
  });

  it('ends with the group, and with the node', () => {
    const { followers, holds } = start();
    followers.update([group(90, { a: 90, b: 10 })]);
    followers.leave(1);
    expect(holds[0]?.positions.get(1)).to.equal(Number.POSITIVE_INFINITY);
    followers.end();
    expect(holds[0]?.isOver).to.equal(true);
  });
});
