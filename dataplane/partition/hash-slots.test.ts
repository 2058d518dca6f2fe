import { expect } from 'chai';
import { assert, integer, property, uint8Array } from 'fast-check';
import { encodeUtf8 } from '../common/bytes.ts';
import { evenSlots, slotCount, SlotMap, slotOf } from './hash-slots.ts';

const evenMap = (shards: number): SlotMap =>
  new SlotMap(
    1,
    Array.from({ length: shards }, (_, at) => [evenSlots(at, shards)]),
  );

describe('hash slots', () => {
  it('stay the same for a key: what is stored depends on them', () => {
    expect(slotCount).to.equal(4_096);
    expect(['', 'a', 'key', 'é'].map((text) => slotOf(encodeUtf8(text)))).to.deep.equal([
      0, 3_651, 2_985, 3_390,
    ]);
  });

  it('have one owner each, for any number of shards', () => {
    assert(
      property(integer({ min: 1, max: 64 }), uint8Array({ maxLength: 40 }), (shards, key) => {
        const shard = evenMap(shards).shardOf(key);
        const [first, end] = evenSlots(shard, shards);
        const slot = slotOf(key);
        expect(slot >= first && slot < end).to.equal(true);
      }),
    );
  });

  it('spread keys that follow one another', () => {
    const map = evenMap(8);
    const counts = Array.from({ length: 8 }, () => 0);
    for (let at = 0; at < 8_000; at += 1) {
      const shard = map.shardOf(encodeUtf8(`user-${at}`));
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    for (const count of counts) expect(count).to.be.within(800, 1_200);
  });

  it('refuse owners that leave a slot out, share one, or name one that there is not', () => {
    expect(() => new SlotMap(1, [[[0, 10]], [[11, slotCount]]])).to.throw('slot 10 has no owner');
    expect(() => new SlotMap(1, [[[0, 10]]])).to.throw('slot 10 has no owner');
    expect(() => new SlotMap(1, [])).to.throw('slot 0 has no owner');
    expect(() => new SlotMap(1, [[[0, 11]], [[10, slotCount]]])).to.throw('slot 10 has two owners');
    expect(() => new SlotMap(1, [[[0, 1]], [[1, slotCount + 1]]])).to.throw('not among the 4096');
  });
});
