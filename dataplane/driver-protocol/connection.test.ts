import type { Socket } from 'node:net';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { errorType, RuntimeError } from '../query/errors.ts';
import { echo, FakeCursor, forever, frame, magics, Port, u32, until } from './testing/port.ts';
import type { Answer, Client, Run } from './testing/port.ts';

const row = `"${'x'.repeat(65_536)}"`;
const atom = (json: string) => ({ type: 'atom', json }) as const;

describe('a connection', () => {
  let port: Port;

  afterEach(() => port.close());

  async function signedIn(...how: Parameters<typeof Port.open>): Promise<Client> {
    port = await Port.open(...how);
    return port.signedIn();
  }

  it('answers the same however the bytes of the client are cut', async () => {
    port = await Port.open();
    const wire = Buffer.concat([
      u32(magics.v04, 13),
      Buffer.from('correct horse'),
      u32(0x7e6970c7),
      frame('[1,"ä€😀"]', 1),
      frame('[1,', 2),
      frame('[4]', 3),
      frame('[3]', 4),
    ]);
    const ask = async (cuts: readonly number[]): Promise<Answer[]> => {
      const client = await port.dial();
      client.socket.setNoDelay(true);
      let start = 0;
      for (const cut of [...cuts.map((one) => one % wire.length), wire.length].sort(
        (a, b) => a - b,
      )) {
        client.socket.write(wire.subarray(start, cut));
        start = cut;
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await client.text()).to.equal('SUCCESS');
      const answers: Answer[] = [];
      for (let at = 0; at < 4; at += 1) answers.push(await client.answer());
      client.socket.destroy();
      return answers.sort((a, b) => a.token - b.token);
    };
    const whole = await ask([]);
    expect(whole[0]?.text).to.equal('{"t":1,"r":["ä€😀"]}');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 10 }), async (cuts) => {
        expect(await ask(cuts)).to.deep.equal(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('names what is wrong with a query, and goes on', async () => {
    const client = await signedIn();
    const unparsed = 'Server could not parse query: ';
    for (const [query, words] of [
      ['', 'Client is buggy (failed to deserialize query).'],
      ['[1,', 'Client is buggy (failed to deserialize query).'],
      ['{}', `${unparsed}Expected a query to be an array, but found OBJECT.`],
      ['null', `${unparsed}Expected a query to be an array, but found NULL.`],
      ['[]', `${unparsed}Expected 1 to 3 elements in the top-level query, but found 0.`],
      ['[1,1,{},1]', `${unparsed}Expected 1 to 3 elements in the top-level query, but found 4.`],
      ['["1"]', `${unparsed}Expected a query type as a number, but found STRING.`],
      ['[9,1]', `${unparsed}Unrecognized QueryType: 9.`],
      ['[1,1,7]', `${unparsed}Expected global optargs as an object, but found NUMBER.`],
      ['[2]', 'Token 1 not in stream cache.'],
      ['[3]', 'Token 1 not in stream cache.'],
    ] as const) {
      expect(JSON.parse(await client.ask(query)), query).to.deep.equal({
        t: 16,
        r: [words],
        b: [],
      });
    }
    client.socket.write(Buffer.concat([Buffer.alloc(8), u32(1), Buffer.from([0xff])]));
    expect((await client.answer()).text).to.contain('failed to deserialize query');
    expect(await client.ask('[5]')).to.equal(
      '{"t":5,"r":[{"id":"id","name":"name","proxy":false}]}',
    );
    expect(port.server.counters.framesMalformed).to.equal(10);
    expect(port.faults).to.deep.equal([]);
  });

  it('tells tokens apart that no number of JavaScript holds', async () => {
    const client = await signedIn();
    const wire = frame('[3]', 0);
    wire.writeBigUInt64LE(2n ** 64n - 1n, 0);
    client.socket.write(wire);
    expect((await client.answer()).text).to.contain('Token 18446744073709551615 not in');
  });

  it('answers an oversized query, drops it, and closes behind the answers', async () => {
    const client = await signedIn(echo, { queryBytesMax: 100 });
    client.query('[1,1]', 1);
    client.query(`[1,"${'x'.repeat(200)}"]`, 2);
    client.query('[1,3]', 3);
    const answers = [await client.answer(), await client.answer()];
    expect(answers.sort((a, b) => a.token - b.token)).to.deep.equal([
      { token: 1, text: '{"t":1,"r":[1]}' },
      { token: 2, text: '{"t":16,"r":["Query size (206) greater than maximum (100)."],"b":[]}' },
    ]);
    await client.gone();
  });

  it('takes a negative length for an oversized query', async () => {
    const client = await signedIn();
    client.socket.write(Buffer.concat([Buffer.alloc(8), u32(0xffff_fff0)]));
    expect((await client.answer()).text).to.contain(
      'Query size (4294967280) greater than maximum (67108864).',
    );
  });

  it('closes when a query does not come to its end', async () => {
    const client = await signedIn();
    client.socket.write(frame('[1,1]', 1).subarray(0, 14));
    const steady = await port.signedIn();
    await until(() => port.clock.sleeping >= 2);
    for (let at = 0; at < 3 && !client.closed; at += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      port.clock.advance(60_000);
    }
    await client.gone();
    expect(await steady.ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
    expect(port.server.counters.connectionsStalled).to.equal(1);
  });

  it('refuses a token that is still in use', async () => {
    const client = await signedIn((term, signal) => (term === 1 ? forever(signal) : atom('2')));
    client.query('[1,1]', 5);
    expect(await client.ask('[1,2]', 5)).to.contain('ERROR: duplicate token 5');
    expect(await client.ask('[1,2]', 6)).to.equal('{"t":1,"r":[2]}');
  });

  it('answers errors of queries by their kind, and its own faults without dying', async () => {
    const client = await signedIn((term) => {
      if (term === 1) throw new RuntimeError(errorType.user, 'boom', [0, 'a']);
      throw new TypeError('a bug');
    });
    expect(await client.ask('[1,1]')).to.equal('{"t":18,"e":5000000,"r":["boom"],"b":[0,"a"]}');
    expect(await client.ask('[1,2]')).to.equal(
      '{"t":18,"e":1000000,"r":["Internal error: a bug"],"b":[]}',
    );
    expect(port.faults.length).to.equal(1);
  });

  it('answers NOREPLY_WAIT behind what came before it, and not behind what comes after', async () => {
    const waiting: (() => void)[] = [];
    const done: unknown[] = [];
    const client = await signedIn(async (term) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      done.push(term);
      if (term === 2) throw new RuntimeError(errorType.user, 'nobody hears', []);
      return atom('null');
    });
    client.query('[1,1,{"noreply":true}]', 1);
    client.query('[1,2,{"noreply":true}]', 2);
    client.query('[4]', 3);
    client.query('[1,4]', 4);
    await until(() => waiting.length === 3);
    waiting[1]?.();
    waiting[0]?.();
    expect(await client.answer()).to.deep.equal({ token: 3, text: '{"t":4,"r":[]}' });
    expect(done).to.have.members([1, 2]);
    waiting[2]?.();
    expect(await client.answer()).to.deep.equal({ token: 4, text: '{"t":1,"r":[null]}' });
  });

  it('runs so many queries at once, and reads on when one has ended', async () => {
    const waiting: (() => void)[] = [];
    const run: Run = async (term) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return atom(JSON.stringify(term));
    };
    const client = await signedIn(run, { queriesMax: 3 });
    for (let token = 1; token <= 5; token += 1) client.query(`[1,${token}]`, token);
    await until(() => waiting.length === 3);
    const other = await port.signedIn();
    other.query('[1,9]');
    await until(() => waiting.length === 4);
    expect(port.server.running).to.equal(4);
    waiting[1]?.();
    expect(await client.answer()).to.deep.equal({ token: 2, text: '{"t":1,"r":[2]}' });
    await until(() => waiting.length === 5);
    expect(port.server.running).to.equal(4);
  });

  it('runs one query after the other for V0_3', async () => {
    const started: unknown[] = [];
    let release: () => void = () => undefined;
    port = await Port.open(async (term) => {
      started.push(term);
      if (term === 1) await new Promise<void>((resolve) => (release = resolve));
      return atom(JSON.stringify(term));
    });
    const client = await port.signedIn(magics.v03);
    client.query('[1,1]', 1);
    client.query('[1,2]', 2);
    await until(() => started.length === 1);
    release();
    expect([await client.answer(), await client.answer()].map(({ token }) => token)).to.deep.equal([
      1, 2,
    ]);
  });

  it('counts queries that are answered by an error', async () => {
    const client = await signedIn(async (term) => {
      if (term === 1) throw new RuntimeError(errorType.user, 'no', []);
      return atom('2');
    });
    client.query('[1,1]', 1);
    expect((await client.answer()).text).to.contain('"t":18');
    client.query('[1,2]', 2);
    await client.answer();
    expect(port.server.counters).to.include({ queries: 2, queriesFailed: 1, queriesAborted: 0 });
  });

  it('aborts what runs when the client goes away, and counts it', async () => {
    const cursor = new FakeCursor(forever);
    let aborted = 0;
    const client = await signedIn(async (term, signal) => {
      if (term === 1) return { type: 'sequence', cursor };
      return forever(signal).catch((error: unknown) => {
        aborted += 1;
        throw error;
      });
    });
    client.query('[1,1]', 1);
    client.query('[1,2]', 2);
    await until(() => cursor.asked === 1 && port.server.running === 2);
    client.socket.destroy();
    await until(() => cursor.closed && aborted === 1 && port.server.connections === 0);
    expect(port.server.counters).to.include({ queriesAborted: 2, queriesFailed: 0 });
    expect(port.server.running).to.equal(0);
    expect(port.faults).to.deep.equal([]);
  });

  const held = { queriesMax: 4, readAheadBytes: 65_536 };
  for (const [about, magic, queries] of [
    ['runs one query at a time', magics.v03, 3],
    ['runs as many queries as it may', magics.v04, held.queriesMax + 3],
  ] as const) {
    it(`sees at once that a client goes away which ${about}`, async () => {
      let aborted = 0;
      port = await Port.open(
        (_term, signal) =>
          forever(signal).catch((error: unknown) => {
            aborted += 1;
            throw error;
          }),
        held,
      );
      const client = await port.signedIn(magic);
      for (let token = 1; token <= queries; token += 1) client.query('[1,1]', token);
      const running = magic === magics.v03 ? 1 : held.queriesMax;
      await until(() => port.server.running === running);
      // It lies in front of the end, and is not taken.
      client.query('[1,1]', queries + 1);
      client.socket.end();
      // No time passes on the clock of the port.
      await until(() => aborted === running && port.server.connections === 0);
    });
  }

  it('reads a bounded number of bytes ahead', async () => {
    port = await Port.open((_term, signal) => forever(signal), held);
    let bytesRead = (): number => 0;
    port.server.tcp.once('connection', (socket: Socket) => (bytesRead = () => socket.bytesRead));
    const client = await port.signedIn(magics.v03);
    client.query('[1,1]');
    await until(() => port.server.running === 1);
    client.socket.write(Buffer.alloc(8 * 1_048_576));
    await until(() => bytesRead() > held.readAheadBytes);
    let last = 0;
    for (let quiet = 0; quiet < 200; quiet += 1) {
      if (bytesRead() !== last) quiet = 0;
      last = bytesRead();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The last piece that was read may be as large as the system makes them.
    expect(last).to.be.below(held.readAheadBytes + 2 * 65_536);
  });

  it('takes a client that has closed its half for gone', async () => {
    const cursor = new FakeCursor(async () => ({ rows: ['1'], done: false }));
    const client = await signedIn(() => ({ type: 'sequence', cursor }));
    await client.ask('[1,1]');
    expect(port.server.openCursors).to.equal(1);
    client.socket.end();
    await until(() => cursor.closed);
    expect(port.server.openCursors).to.equal(0);
  });

  it('closes a cursor that comes when its client is gone', async () => {
    const cursor = new FakeCursor(forever);
    let give: () => void = () => undefined;
    const client = await signedIn(async () => {
      await new Promise<void>((resolve) => (give = resolve));
      return { type: 'sequence', cursor };
    });
    client.query('[1,1]');
    await until(() => port.server.running === 1);
    client.socket.destroy();
    await until(() => port.server.connections === 0);
    give();
    await until(() => cursor.closed);
    expect(cursor.asked).to.equal(0);
  });

  it('stops a cursor, also one that is asked for a batch: two answers then', async () => {
    const idle = new FakeCursor(async () => ({ rows: ['1'], done: false }));
    let batches = 0;
    const feed = new FakeCursor(
      async (signal) => (batches++ === 0 ? { rows: [], done: false } : forever(signal)),
      [1],
    );
    const client = await signedIn((term) => ({
      type: 'sequence',
      cursor: term === 1 ? idle : feed,
    }));
    expect(await client.ask('[1,1]', 1)).to.equal('{"t":3,"r":[1],"n":[]}');
    expect(await client.ask('[3]', 1)).to.equal('{"t":2,"r":[],"n":[]}');
    expect(await client.ask('[2]', 1)).to.contain('Token 1 not in stream cache.');
    expect(await client.ask('[1,2]', 2)).to.equal('{"t":3,"r":[],"n":[1]}');
    client.query('[2]', 2);
    await until(() => feed.asked === 2);
    expect(await client.ask('[2]', 2)).to.contain('not in stream cache');
    client.query('[3]', 2);
    const answers = [await client.answer(), await client.answer()];
    expect(answers).to.deep.equal([
      { token: 2, text: '{"t":2,"r":[],"n":[]}' },
      { token: 2, text: '{"t":2,"r":[],"n":[]}' },
    ]);
    expect([idle.closed, feed.closed]).to.deep.equal([true, true]);
    expect(port.faults).to.deep.equal([]);
  });

  it('lets feeds wait without counting them', async () => {
    const run: Run = (term, signal) => {
      let batches = 0;
      const next = async () => (batches++ === 0 ? { rows: [], done: false } : forever(signal));
      return term === 1 ? atom('1') : { type: 'sequence', cursor: new FakeCursor(next, [1]) };
    };
    const client = await signedIn(run, { queriesMax: 1 });
    for (const token of [1, 2, 3]) {
      await client.ask('[1,2]', token);
      client.query('[2]', token);
    }
    expect(await client.ask('[1,1]', 4)).to.equal('{"t":1,"r":[1]}');
    expect(await client.ask('[4]', 5)).to.equal('{"t":4,"r":[]}');
  });

  it('has a bounded number of cursors, and names it', async () => {
    const cursors: FakeCursor[] = [];
    const run: Run = () => {
      const cursor = new FakeCursor(async () => ({ rows: ['1'], done: false }));
      cursors.push(cursor);
      return { type: 'sequence', cursor };
    };
    const client = await signedIn(run, { cursorsMax: 2 });
    await client.ask('[1,1]', 1);
    await client.ask('[1,1]', 2);
    const refused = await client.ask('[1,1]', 3);
    expect(refused).to.contain(
      '"t":18,"e":2000000,"r":["Too many open cursors on this connection (2)',
    );
    expect(cursors.map(({ closed }) => closed)).to.deep.equal([false, false, true]);
    await client.ask('[3]', 1);
    expect(await client.ask('[1,1]', 4)).to.contain('"t":3');
  });
});

describe('a client that does not read', () => {
  let port: Port;
  const limits = { queuedBytesMax: 4 * 1_048_576, sliceBytes: 65_536 };

  afterEach(() => port.close());

  /** Resolves when nothing has moved for many turns. */
  async function settled(): Promise<void> {
    let last = '';
    for (let quiet = 0; quiet < 200; quiet += 1) {
      const { queuedBytes, running, counters } = port.server;
      const now = JSON.stringify([queuedBytes, running, counters]);
      if (now !== last) quiet = 0;
      last = now;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Asks for rows without end and takes none. */
  async function flooded(): Promise<{ client: Client; cursor: FakeCursor }> {
    const cursor = new FakeCursor(async () => ({ rows: [row, row, row, row], done: false }));
    port = await Port.open(
      (term) => (term === 1 ? { type: 'sequence', cursor } : atom(row)),
      limits,
    );
    const client = await port.signedIn();
    await client.ask('[1,1]', 1);
    client.socket.pause();
    for (let token = 2; token < 600; token += 1) {
      client.query('[2]', 1);
      client.query('[1,2]', token);
    }
    await settled();
    expect(port.server.queuedBytes).to.be.greaterThan(0);
    return { client, cursor };
  }

  it('is owed a bounded number of bytes: nothing more is made until it reads', async () => {
    const { client, cursor } = await flooded();
    const asked = cursor.asked;
    // What 16 queries of one turn may add to it.
    expect(port.server.queuedBytes).to.be.lessThan(limits.queuedBytesMax + 16 * row.length);
    await settled();
    expect(cursor.asked).to.equal(asked);
    expect(port.server.running).to.be.greaterThan(0);
    client.discard();
    await until(() => port.server.queuedBytes === 0 && port.server.running === 0);
    expect(port.server.counters.queries).to.equal(599);
  });

  it('is cut off when it takes nothing for too long, and everything of it is released', async () => {
    const { client, cursor } = await flooded();
    const other = await port.signedIn();
    await until(() => port.clock.sleeping >= 1);
    for (let at = 0; at < 3; at += 1) {
      port.clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => cursor.closed);
    expect(port.server.counters.connectionsStalled).to.equal(1);
    expect([port.server.queuedBytes, port.server.openCursors, port.server.running]).to.deep.equal([
      0, 0, 0,
    ]);
    expect(await other.ask('[1,3]')).to.contain('"t":1');
    client.socket.resume();
    await client.gone();
  });
});

describe('answers that are no streams', () => {
  const limits = { wholeAnswersBytesMax: 1_048_576, smallAnswerBytes: 1_000 };
  let port: Port;

  afterEach(() => port.close());

  it('are dropped beyond a bound of all connections', async () => {
    const bounds = { ...limits, allAnswersBytesMax: 33_554_432 };
    port = await Port.open(
      (term) => ({ type: 'atom', json: JSON.stringify('x'.repeat(Number(term))) }),
      bounds,
    );
    const [slow, other] = [await port.signedIn(), await port.signedIn()];
    slow.socket.pause();
    slow.query('[1,33000000]', 1);
    await until(() => port.server.queuedBytes > 16_000_000);
    const answer = JSON.parse(await other.ask('[1,30000000]')) as { t: number; r: string[] };
    expect(answer).to.include({ t: 18, e: errorType.resourceLimit });
    expect(answer.r[0]).to.match(
      /bytes of other answers wait for all clients, of 33554432 at most/,
    );
    expect(await other.ask('[1,900]')).to.contain('xxxx');
    slow.socket.resume();
    expect((await slow.answer()).text).to.have.length(33_000_000 + 16);
    expect(await other.ask('[1,30000000]')).to.contain('xxxx');
  });

  it('are dropped beyond a bound of those that wait, but the first and small ones', async () => {
    const waiting: (() => void)[] = [];
    port = await Port.open(async (term) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { type: 'atom', json: JSON.stringify('x'.repeat(Number(term))) };
    }, limits);
    const client = await port.signedIn();
    // The first is more than the buffers of both ends of a connection hold.
    const sizes = [33_554_432, 524_288, 900, 524_288];
    sizes.forEach((size, at) => client.query(`[1,${size}]`, at + 1));
    await until(() => waiting.length === sizes.length);
    client.socket.pause();
    for (const answer of waiting) answer();
    await until(() => port.server.running === 0);
    client.socket.resume();
    const answers: Answer[] = [];
    for (const _ of sizes) answers.push(await client.answer());
    answers.sort((a, b) => a.token - b.token);
    const said = answers.map(({ text }) => text);
    expect(said.map((text) => text.includes('xxxx'))).to.deep.equal([true, false, true, false]);
    expect(JSON.parse(said[1] ?? '')).to.include({ t: 18, e: errorType.resourceLimit });
    expect(said[1]).to.contain('it was dropped');
  });
});
