import { Session } from '../session.ts';
import type { Incoming, Peer, Pipe, SessionOptions } from '../session.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';

/** Two sessions that talk through memory; a test can hold back what one of them sends. */
export const clusterId = '11111111-2222-4333-8444-555555555555';
export const alice: Peer = { clusterId, nodeId: 'aaaaaaaa-0000-4000-8000-000000000000' };
export const bob: Peer = { clusterId, nodeId: 'bbbbbbbb-0000-4000-8000-000000000000' };

class MemoryPipe implements Pipe {
  isOpen = true;
  isSlow = false;
  readonly held: Uint8Array[] = [];
  other: Session | undefined;

  write(bytes: Uint8Array): boolean {
    if (this.isSlow) {
      this.held.push(bytes);
      return false;
    }
    this.#deliver(bytes);
    return true;
  }

  #deliver(bytes: Uint8Array): void {
    // As a network does: never within the call that sends.
    const { other } = this;
    queueMicrotask(() => other?.received(bytes));
  }

  release(): void {
    this.isSlow = false;
    for (const bytes of this.held.splice(0)) this.#deliver(bytes);
  }

  close(): void {
    this.isOpen = false;
    const { other } = this;
    queueMicrotask(() => other?.lost());
  }
}

export interface Side {
  readonly session: Session;
  readonly pipe: MemoryPipe;
  readonly reasons: Error[];
}

type Handle = (incoming: Incoming) => Promise<Uint8Array>;

const echo: Handle = async ({ payload }) => payload;

export interface PairOptions {
  readonly clock?: ManualClock;
  readonly handle?: Handle;
  readonly alice?: Partial<SessionOptions>;
  readonly bob?: Partial<SessionOptions>;
}

export function pair(options: PairOptions = {}): { readonly alice: Side; readonly bob: Side } {
  const { clock = new ManualClock(), handle = echo } = options;
  const side = (own: Peer, expected: Peer, changes: Partial<SessionOptions> = {}): Side => {
    const pipe = new MemoryPipe();
    const reasons: Error[] = [];
    // The first frame leaves when both sides are there.
    pipe.isSlow = true;
    const session = new Session({
      own,
      expected,
      pipe,
      clock,
      queueBytesMax: { consensus: 10_000, interactive: 10_000, bulk: 10_000 },
      incomingMax: 4,
      handshakeMs: 1_000,
      handle,
      ended: (reason) => reasons.push(reason),
      ...changes,
    });
    return { session, pipe, reasons };
  };
  const sides = { alice: side(alice, bob, options.alice), bob: side(bob, alice, options.bob) };
  sides.alice.pipe.other = sides.bob.session;
  sides.bob.pipe.other = sides.alice.session;
  for (const { pipe, session } of Object.values(sides)) {
    pipe.release();
    session.drained();
  }
  return sides;
}

/** Everything that waits for a promise has run. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns += 1) await Promise.resolve();
}
