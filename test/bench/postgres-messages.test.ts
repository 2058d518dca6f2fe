import { expect } from 'chai';
import { array, assert, constantFrom, nat, property, tuple, uint8Array } from 'fast-check';
import {
  MessageReader,
  errorText,
  parseMessage,
  rowsOf,
  runMessages,
} from './postgres-messages.ts';
import { saslMessage, startupMessage } from './postgres-messages.ts';

const message = (type: string, body: Buffer | string): Buffer => {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(bytes.byteLength + 4, 1);
  return Buffer.concat([header, bytes]);
};

const read = (chunks: readonly Buffer[]): string[] => {
  const found: string[] = [];
  const reader = new MessageReader((type, body) => found.push(type + body.toString('latin1')));
  for (const chunk of chunks) reader.feed(chunk);
  return found;
};

describe('the messages of PostgreSQL in the benchmark', () => {
  it('are found however the stream is cut; rows are skipped', () => {
    const type = constantFrom('R', 'S', 'K', '1', '2', 'D', 'C', 'E', 'N', 'Z');
    const body = uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    const stream = array(tuple(type, body), { maxLength: 8 });
    assert(
      property(stream, array(nat(400)), (messages, places) => {
        const whole = Buffer.concat(messages.map(([name, bytes]) => message(name, bytes)));
        const cuts = [0, ...places.filter((at) => at < whole.length), whole.length].toSorted(
          (a, b) => a - b,
        );
        const chunks = cuts.slice(1).map((end, at) => whole.subarray(cuts[at], end));
        const kept = messages.filter(([name]) => 'RCEZ'.includes(name));
        expect(read(chunks)).to.deep.equal(
          kept.map(([name, bytes]) => name + bytes.toString('latin1')),
        );
      }),
    );
  });

  it('refuse a length that none can have', () => {
    expect(() => read([Buffer.from([68, 0, 0, 0, 3])])).to.throw('negative length');
  });

  it('count the rows of a command', () => {
    const rows = (tag: string): number => rowsOf(Buffer.from(`${tag}\0`));
    expect(['SELECT 100', 'INSERT 0 1', 'UPDATE 0', 'CREATE TABLE'].map(rows)).to.deep.equal([
      100, 1, 0, 0,
    ]);
  });

  it('tell errors with their code', () => {
    const body = 'SERROR\0VERROR\0C42P01\0Mrelation "x" does not exist\0P15\0\0';
    expect(errorText(Buffer.from(body))).to.equal('ERROR 42P01: relation "x" does not exist');
  });

  it('have the bytes of protocol 3.0', () => {
    expect(startupMessage('u', 'd').toString('latin1')).to.equal(
      '\0\0\0\x1b\0\x03\0\0user\0u\0database\0d\0\0',
    );
    expect(saslMessage('abc').toString('latin1')).to.equal('p\0\0\0\x07abc');
    expect(saslMessage('abc', 'M').toString('latin1')).to.equal('p\0\0\0\x0dM\0\0\0\0\x03abc');
    expect(parseMessage('s', 'q').toString('latin1')).to.equal('P\0\0\0\x0as\0q\0\0\0');
    expect(runMessages('s', ['é']).toString('latin1')).to.equal(
      'B\0\0\0\x13\0s\0\0\0\0\x01\0\0\0\x02\xc3\xa9\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04',
    );
  });
});
