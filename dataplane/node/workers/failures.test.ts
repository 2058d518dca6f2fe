import { expect } from 'chai';
import { errorType, RuntimeError } from '../../query/errors.ts';
import { ChannelClosedError } from '../../workers/errors.ts';
import { isFault } from './failures.ts';

describe('failures of requests of query workers', () => {
  it('are faults when no client can cause them', () => {
    expect(isFault(new TypeError('x is undefined'))).to.equal(true);
    expect(isFault(new RuntimeError(errorType.opFailed, 'it failed', []))).to.equal(false);
  });

  it('are none when the client has disconnected while its query ran', () => {
    expect(isFault(new ChannelClosedError('The request was cancelled.'))).to.equal(false);
  });
});
