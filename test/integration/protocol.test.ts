import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { end, removeDirectory, serve, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';

/** Raw bytes on the driver port. */
class Wire {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => undefined);
  }

  async until(done: (bytes: Buffer) => boolean): Promise<Buffer> {
    const deadline = Date.now() + 10_000;
    while (!done(this.#bytes)) {
      if (Date.now() > deadline) throw new Error(`timed out; got ${this.#bytes.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return this.#bytes;
  }

  async text(): Promise<string> {
    const bytes = await this.until((all) => all.includes(0));
    const stop = bytes.indexOf(0);
    this.#bytes = bytes.subarray(stop + 1);
    return bytes.toString('utf8', 0, stop);
  }

  query(text: string, token = 1): void {
    const body = Buffer.from(text);
    const head = Buffer.alloc(12);
    head.writeBigUInt64LE(BigInt(token));
    head.writeUInt32LE(body.length, 8);
    this.socket.write(Buffer.concat([head, body]));
  }

  async answer(): Promise<string> {
    const all = await this.until(
      (bytes) => bytes.length >= 12 && bytes.length >= 12 + bytes.readUInt32LE(8),
    );
    const length = all.readUInt32LE(8);
    this.#bytes = all.subarray(12 + length);
    return all.toString('utf8', 12, 12 + length);
  }

  async ask(text: string): Promise<string> {
    this.query(text);
    return this.answer();
  }
}

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, at) => bytes.writeUInt32LE(value, 4 * at));
  return bytes;
};

describe('the driver port', function port() {
  this.timeout(20_000);
  const directory = temporaryDirectory();
  let served: Served;

  before(async () => {
    served = await serve(directory);
  });

  after(async () => {
    await end(served);
    removeDirectory(directory);
  });

  async function dial(): Promise<Wire> {
    const socket = connectTcp(served.driverPort, served.host);
    await once(socket, 'connect');
    return new Wire(socket);
  }

  async function signedIn(): Promise<Wire> {
    const wire = await dial();
    wire.socket.write(u32(0x400c2d20, 0, 0x7e6970c7));
    expect(await wire.text()).to.equal('SUCCESS');
    return wire;
  }

  it('refuses other protocols by a sentence, and closes', async () => {
    const http = await dial();
    http.socket.write('GET / HTTP/1.1\r\n\r\n');
    expect(await http.text()).to.contain('This port is for RethinkDB queries');
    await http.until(() => http.closed);
    const old = await dial();
    old.socket.write(u32(0x3f61ba36));
    expect(await old.text()).to.contain('PROTOBUF client protocol is no longer supported');
    const key = await dial();
    key.socket.write(Buffer.concat([u32(0x400c2d20, 5), Buffer.from('wrong'), u32(0x7e6970c7)]));
    expect(await key.text()).to.contain('Incorrect authorization key.');
  });

  it('answers the errors of a handshake with their numbers', async () => {
    for (const [message, code] of [
      ['not json', 8],
      ['{"protocol_version":1}', 2],
      ['{}', 1],
      ['{"protocol_version":0,"authentication_method":"PLAIN"}', 4],
    ] as const) {
      const wire = await dial();
      wire.socket.write(Buffer.concat([u32(0x34c2bdc3), Buffer.from(`${message}\0`)]));
      expect(await wire.text()).to.contain('"min_protocol_version":0');
      expect(JSON.parse(await wire.text())).to.include({ error_code: code, success: false });
    }
  });

  it('answers queries as RethinkDB does', async () => {
    const wire = await signedIn();
    for (const [query, answer] of [
      ['[1,"foo",{}]', '{"t":1,"r":["foo"]}'],
      ['[1,[2,[1,2]]]', '{"t":1,"r":[[1,2]]}'],
      ['[4]', '{"t":4,"r":[]}'],
      ['[1,', '{"t":16,"r":["Client is buggy (failed to deserialize query)."],"b":[]}'],
      ['[1,[9999,[]]]', '{"t":17,"r":["Unrecognized TermType: 9999."],"b":[]}'],
      ['[1,1,{"nope":1}]', '{"t":17,"r":["Unrecognized global optional argument `nope`."],"b":[]}'],
      ['[1,[16,[]]]', '{"t":17,"r":["Expected 2 arguments but found 0."],"b":[]}'],
      [
        '[1,[24,[1,"a"]]]',
        '{"t":18,"e":3000000,"r":["Expected type NUMBER but found STRING."],"b":[]}',
      ],
      ['[1,[12,["boom"]]]', '{"t":18,"e":5000000,"r":["boom"],"b":[]}'],
      [
        '[1,[15,[[14,["test"]],"nope"]]]',
        '{"t":18,"e":4100000,"r":["Table `test.nope` does not exist."],"b":[]}',
      ],
      [
        '[1,[15,[[14,["nodb"]],"nope"]]]',
        '{"t":18,"e":4100000,"r":["Database `nodb` does not exist."],"b":[0]}',
      ],
      [
        '[1,[31,[{"a":1},"b"]]]',
        '{"t":18,"e":3100000,"r":["No attribute `b` in object:\\n{\\n\\t\\"a\\":\\t1\\n}"],"b":[]}',
      ],
      ['[1,[27,[1,0]]]', '{"t":18,"e":3000000,"r":["Cannot divide by zero."],"b":[]}'],
      ['[3]', '{"t":16,"r":["Token 1 not in stream cache."],"b":[]}'],
    ] as const) {
      expect(await wire.ask(query), query).to.equal(answer);
    }
  });

  it('hands out a stream in batches, and forgets it when it ends or is stopped', async () => {
    const wire = await signedIn();
    expect(await wire.ask('[1,[173,[5]],{"max_batch_rows":2}]')).to.equal('{"t":3,"r":[0],"n":[]}');
    expect(await wire.ask('[2]')).to.equal('{"t":3,"r":[1,2],"n":[]}');
    expect(await wire.ask('[2]')).to.equal('{"t":2,"r":[3,4],"n":[]}');
    expect(await wire.ask('[2]')).to.contain('not in stream cache');
    expect(await wire.ask('[1,[173,[]],{"max_batch_rows":4}]')).to.contain('"t":3');
    expect(await wire.ask('[3]')).to.equal('{"t":2,"r":[],"n":[]}');
  });

  it('names a term that it does not know yet', async () => {
    const wire = await signedIn();
    expect(await wire.ask('[1,[153,["http://localhost"]]]')).to.contain(
      'The term HTTP is not implemented',
    );
  });

  it('refuses an oversized query, and closes', async () => {
    const wire = await signedIn();
    wire.socket.write(Buffer.concat([Buffer.alloc(8), u32(0xffff_ffff)]));
    expect(await wire.answer()).to.contain('greater than maximum');
    wire.socket.destroy();
    expect(await (await signedIn()).ask('[1,1]')).to.equal('{"t":1,"r":[1]}');
  });

  it('lives on when a client leaves in the middle of a query', async () => {
    const wire = await signedIn();
    wire.query('[1,[43,[[173,[50000000]]]]]');
    wire.socket.destroy();
    const other = await signedIn();
    expect(await other.ask('[1,2]')).to.equal('{"t":1,"r":[2]}');
  });
});
