import { expect } from 'chai';
import { echo, Port, until } from './testing/port.ts';

describe('the port for drivers', () => {
  let port: Port;

  afterEach(() => port.close());

  it('tells a client beyond the maximum why, and takes it when another has left', async () => {
    port = await Port.open(echo, { connectionsMax: 2 });
    const [first, second] = [await port.signedIn(), await port.signedIn()];
    const third = await port.dial();
    third.key('correct horse');
    const error = 'Too many connections: this server takes 2 at once (option connections-max).';
    expect(JSON.parse(await third.text())).to.deep.equal({ error, error_code: 0, success: false });
    expect(port.server.counters.connectionsRefused).to.equal(1);
    expect(await first.ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
    second.socket.destroy();
    await until(() => port.server.connections === 1);
    expect(await (await port.signedIn()).ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
  });

  it('does not wait for a refused client that stays', async () => {
    port = await Port.open(echo, { connectionsMax: 1, lingerMs: 5 });
    await port.signedIn();
    const { socket } = await port.dial();
    socket.allowHalfOpen = true;
    await until(() => port.clock.sleeping >= 2);
    port.clock.advance(5);
    await until(() => socket.destroyed || socket.closed || socket.readyState !== 'open');
  });

  /** Lets so much time pass, in steps, that nothing is left to wait for. */
  async function finished(ending: Promise<void>): Promise<void> {
    let isOver = false;
    void ending.then(() => (isOver = true));
    await until(() => {
      port.clock.advance(50);
      return isOver;
    });
  }

  it('leaves a client that asks nothing, and takes no other one', async () => {
    port = await Port.open();
    const client = await port.signedIn();
    expect(await client.ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
    const ending = port.server.finish();
    await until(() => !port.server.tcp.listening);
    await finished(ending);
    await client.gone();
  });

  it('answers what a client has asked before it leaves it, and runs nothing that comes later', async () => {
    let answer: (() => void) | undefined;
    const ran: unknown[] = [];
    port = await Port.open((term, signal, options) => {
      ran.push(term);
      if (term !== 1) return echo(term, signal, options);
      return new Promise((resolve) => (answer = () => resolve({ type: 'atom', json: '"late"' })));
    });
    const client = await port.signedIn();
    client.query('[1,1]', 1);
    await until(() => answer !== undefined);
    const ending = port.server.finish();
    // Longer than it waits for a quiet moment.
    for (let at = 0; at < 100; at += 1) {
      port.clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.query('[1,2]', 2);
    await until(() => {
      port.clock.advance(50);
      return port.server.queries.list().length === 1;
    });
    answer?.();
    expect(await client.answer()).to.deep.equal({ token: 1, text: '{"t":1,"r":["late"]}' });
    await finished(ending);
    await client.gone();
    expect(ran).to.deep.equal([1]);
  });

  it('leaves a client that asks all the time behind an answer: no query ran without one', async () => {
    const ran: unknown[] = [];
    port = await Port.open((term, signal, options) => {
      ran.push(term);
      return echo(term, signal, options);
    });
    const client = await port.signedIn();
    const answered: unknown[] = [];
    const asking = (async () => {
      for (let at = 1; ; at += 1) {
        client.query(`[1,${at}]`, at);
        const answer = await client.answer().catch(() => undefined);
        if (answer === undefined) return;
        answered.push(at);
      }
    })();
    await until(() => answered.length > 10);
    const before = answered.length;
    const ending = port.server.finish();
    await until(() => {
      port.clock.advance(1);
      return client.closed;
    });
    await finished(ending);
    await asking;
    expect(answered.length).to.be.greaterThan(before);
    expect(ran).to.deep.equal(answered);
  });
});
