import { expect } from 'chai';
import type { Message } from './message.ts';
import { heartbeatTicks, Machines } from './testing/machines.ts';

const large = new Uint8Array(1_000);

/** A leader with two large entries on their way to `b`. */
function sending(): { readonly machines: Machines; readonly appends: readonly Message[] } {
  const machines = new Machines(['a', 'b', 'c'], {
    options: { appendBytesMax: 100, uncommittedBytesMax: 10_000 },
  });
  machines.elect('a');
  machines.settle();
  machines.isolated.add('c');
  machines.of('a').propose([large]);
  machines.of('a').propose([large]);
  machines.sync();
  const appends = machines.inFlight.filter(({ type, to }) => type === 'append' && to === 'b');
  machines.inFlight = [];
  return { machines, appends };
}

describe('large entries on their way', () => {
  it('are sent again at once when one overtook another and was refused', () => {
    const { machines, appends } = sending();
    expect(appends).to.have.length(2);
    machines.inFlight = [...appends].reverse();
    machines.deliver();
    machines.settle();
    // No time has passed but for a heartbeat.
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.of('b').log.last).to.equal(3);
    expect(machines.of('a').log.committed).to.equal(3);
  });
});
