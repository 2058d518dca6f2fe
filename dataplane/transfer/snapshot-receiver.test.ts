import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import type { WriteTransaction } from '../kv/store.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { encodeEnd, partKind } from './snapshot-message.ts';
import type { NumberedPart } from './snapshot-message.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';

const text = encodeUtf8('{}');
const position = { index: 7, term: 2 };

/** The two parts of a state of the metadata. */
function part(session: string, number: 0 | 1): NumberedPart {
  const statistics = { count: 1, bytes: text.byteLength, hash: 0 };
  const end = encodeEnd({
    ...position,
    statistics,
    unchecked: 0,
    sessions: '',
  });
  const [kind, body] = number === 0 ? [partKind.state, text] : [partKind.end, end];
  return { group: metadataGroup, session, number, kind, body };
}

/** A store whose writes wait while it is held. */
class HeldStore extends MemoryStore {
  held: Promise<void> = Promise.resolve();

  override async write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    await this.held;
    return super.write(body);
  }
}

interface Receiving {
  readonly store: HeldStore;
  readonly clock: { ms: number };
  readonly receiver: SnapshotReceiver;
}

/** A state has arrived, whole. */
async function received(): Promise<Receiving> {
  const store = new HeldStore();
  const clock = { ms: 0 };
  const receiver = new SnapshotReceiver({
    group: metadataGroup,
    keyspace: 0,
    store,
    clock: { now: () => clock.ms },
  });
  for (const number of [0, 1] as const) await receiver.take(part('first', number));
  return { store, clock, receiver };
}

const aWhileMs = 60_000;

describe('the receiver of the state of a group', () => {
  it('has a state when all of it has arrived, and keeps it for whoever asked', async () => {
    const { receiver, clock } = await received();
    expect(receiver.has({ index: 8, term: 2 })).to.equal(false);
    expect(receiver.has(position)).to.equal(true);
    expect(await receiver.take(part('second', 0))).to.deep.equal({
      type: 'again',
    });
    clock.ms += aWhileMs;
    expect(await receiver.take(part('second', 0))).to.deep.equal({
      type: 'next',
      number: 1,
    });
    expect(receiver.has(position)).to.equal(false);
  });

  it('does not have a state that another one is about to replace', async () => {
    const { receiver, store } = await received();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.held = promise;
    const answer = receiver.take(part('second', 0));
    expect(receiver.has(position)).to.equal(false);
    resolve();
    expect(await answer).to.deep.equal({ type: 'next', number: 1 });
  });

  it('keeps a state that is being installed, however long that takes', async () => {
    const { receiver, clock } = await received();
    expect(receiver.has(position)).to.equal(true);
    const release = receiver.keep();
    clock.ms += aWhileMs;
    expect(await receiver.take(part('second', 0))).to.deep.equal({
      type: 'again',
    });
    release();
    expect(await receiver.take(part('second', 0))).to.deep.equal({
      type: 'next',
      number: 1,
    });
  });
});
