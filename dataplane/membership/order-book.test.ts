import { expect } from 'chai';
import { createAuthority } from '../security/certificates.ts';
import type { AuthorityFiles } from '../security/certificates.ts';
import { OrderBook } from './order-book.ts';
import { digestOfOrders, ordersMax, signOrder } from './orders.ts';
import type { Order, SignedOrder } from './orders.ts';
import { MemoryFiles } from './testing/memory-files.ts';
import { nodeIdOf } from './testing/mesh-node.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const [a, b] = ['a', 'b'].map(nodeIdOf) as [string, string];
const now = 1_000_000_000_000;

describe('orders of administrators', () => {
  let authority: AuthorityFiles;
  let other: AuthorityFiles;

  before(async () => {
    authority = await createAuthority(clusterId, now, 1e9);
    other = await createAuthority(clusterId, now, 1e9);
  });

  const book = (files = new MemoryFiles()): OrderBook =>
    new OrderBook({
      clusterId,
      files,
      authorities: () => [authority.certificate],
      clock: { timeOfDay: () => now },
    });

  const order = (type: Order['type'], nodeId: string, at = now, by = authority): SignedOrder =>
    signOrder({ type, clusterId, nodeId, at, reason: 'a test' }, by.privateKey);

  const refusalOf = (orders: OrderBook, ...given: readonly SignedOrder[]): string => {
    try {
      orders.adopt(given);
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('are taken once, and kept over restarts', () => {
    const files = new MemoryFiles();
    const orders = book(files);
    const removal = order('remove', a);
    expect(orders.adopt([removal])).to.deep.equal([removal]);
    expect(orders.adopt([removal])).to.deep.equal([]);
    const again = book(files);
    expect(again.removalOf(a)).to.deep.equal(removal);
    expect(again.removalOf(b)).to.equal(undefined);
    expect(again.digest).to.equal(orders.digest);
  });

  it('are signed by an authority of the cluster, over all that they say', () => {
    const orders = book();
    const removal = order('remove', a);
    const forged: readonly SignedOrder[] = [
      order('remove', a, now, other),
      { ...removal, nodeId: b },
      { ...removal, type: 'release' },
      { ...removal, at: now - 1 },
      { ...removal, reason: 'another' },
      { ...removal, signature: '' },
      { ...removal, signature: 'AAAA' },
    ];
    for (const each of forged) {
      expect(refusalOf(orders, each)).to.match(/not signed by an authority of this cluster/);
    }
    const foreign = { type: 'remove', clusterId: b, nodeId: a, at: now, reason: '' } as const;
    expect(refusalOf(orders, signOrder(foreign, authority.privateKey))).to.match(/is for cluster/);
    expect(refusalOf(orders, order('release', a, now + 600_000))).to.match(/600 s in the future/);
    expect(orders.all).to.deep.equal([]);
    // One that is refused keeps back what comes with it.
    expect(refusalOf(orders, removal, order('remove', b, now, other))).to.match(/not signed/);
    expect(orders.all).to.deep.equal([]);
    expect(refusalOf(orders, removal)).to.equal('none');
  });

  it('stand by their time, whatever order they come in; a removal is never taken back', () => {
    const given = [
      order('quarantine', a, now - 3),
      order('release', a, now - 2),
      order('quarantine', a, now - 1),
    ];
    const [one, two] = [book(), book()];
    for (const each of given) one.adopt([each]);
    for (const each of given.toReversed()) two.adopt([each]);
    expect([one.digest, two.quarantineOf(a)]).to.deep.equal([two.digest, given[2]]);
    const removal = order('remove', a, now - 9);
    one.adopt([removal]);
    expect(one.adopt([order('release', a)])).to.deep.equal([]);
    expect([one.removalOf(a), one.quarantineOf(a)]).to.deep.equal([removal, undefined]);
  });

  it('are bounded in number', () => {
    const orders = book();
    const ids = Array.from(
      { length: ordersMax },
      (_, at) => `${String(at).padStart(8, '0')}-0000-4000-8000-000000000000`,
    );
    orders.adopt(ids.map((id) => order('remove', id)));
    expect(refusalOf(orders, order('remove', b))).to.match(/about 1024 nodes already/);
    expect(orders.all.length).to.equal(ordersMax);
  });

  it('have a digest of their set', () => {
    const [one, two] = [order('remove', a), order('quarantine', b)];
    expect(digestOfOrders([])).to.equal('');
    expect(digestOfOrders([one, two])).to.equal(digestOfOrders([two, one]));
    expect(digestOfOrders([one])).not.to.equal(digestOfOrders([two]));
  });
});
