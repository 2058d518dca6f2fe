import { expect } from 'chai';
import { Authority, createAuthority } from './authority.ts';
import { signedOrdersFrom } from './node-orders.ts';
import { toSignAgain } from './order.ts';
import type { Order } from './order.ts';

const clusterId = '11111111-2222-4333-8444-555555555555';
const nodeId = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const order: Order = { type: 'remove', clusterId, nodeId, at: 1_000, reason: 'a test' };
const { clusterId: _, ...wanted } = order;

const open = async (): Promise<Authority> =>
  Authority.open(await createAuthority({ now: Date.now(), lifetimeMs: 86_400_000 }));

describe('orders of an authority that was replaced', () => {
  it('are signed by the present one, a little later; its own stay', async () => {
    const [former, present] = [await open(), await open()];
    const signers = {
      signing: present.certificate,
      trusted: [present, former].map(({ certificate }) => certificate),
    };
    const again = toSignAgain([former.signOrder(order)], signers);
    expect(again).to.deep.equal([{ ...wanted, at: 1_001 }]);
    const signed = again.map((each) => present.signOrder({ ...each, clusterId }));
    expect(toSignAgain(signed, signers)).to.deep.equal([]);
  });

  it('are left out when no trusted authority has signed them, or they were changed', async () => {
    const [former, present, stranger] = [await open(), await open(), await open()];
    const signers = {
      signing: present.certificate,
      trusted: [present.certificate, former.certificate],
    };
    const orders = [
      stranger.signOrder(order),
      { ...former.signOrder(order), reason: 'another one' },
      { ...former.signOrder(order), nodeId: clusterId },
      { ...order, signature: '' },
    ];
    expect(toSignAgain(orders, signers)).to.deep.equal([]);
    const retired = { signing: present.certificate, trusted: [present.certificate] };
    expect(toSignAgain([former.signOrder(order)], retired)).to.deep.equal([]);
  });

  it('are read from the answer of a node as far as they are orders', async () => {
    const signed = (await open()).signOrder(order);
    const bad = [{ ...signed, type: 'dance' }, { ...signed, signature: 1 }, order, undefined, 'x'];
    expect(signedOrdersFrom({ orders: [signed, ...bad] })).to.deep.equal([signed]);
    for (const answer of [undefined, {}, [], { orders: 1 }]) {
      expect(signedOrdersFrom(answer)).to.deep.equal([]);
    }
  });
});
