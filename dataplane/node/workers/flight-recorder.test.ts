import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { removeDirectory, temporaryDirectory } from '../../../test/drivers/serve.ts';
import { FlightLog, FlightRecorder } from './flight-recorder.ts';

describe('the flight recorder of a query worker', () => {
  let directory: string;
  let recorder: FlightRecorder;

  beforeEach(() => {
    directory = temporaryDirectory();
    recorder = new FlightRecorder([directory], 'worker');
  });

  afterEach(() => {
    recorder.close();
    removeDirectory(directory);
  });

  it('tells the last queries, the newest first, and leaves no file', () => {
    const log = new FlightLog(recorder.descriptor);
    expect(recorder.read()).to.deep.equal([]);
    for (let at = 0; at < 50; at += 1) log.taken(`query ${at}`);
    expect(recorder.read()).to.deep.equal(['query 49', 'query 48', 'query 47']);
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it('cuts a long query, between characters', () => {
    const log = new FlightLog(recorder.descriptor);
    log.taken('ä'.repeat(100_000));
    const [text = ''] = recorder.read();
    expect(text).to.match(/^ä+$/);
    log.taken('');
    log.taken('x');
    expect(recorder.read()[0]).to.equal('x');
  });
});
