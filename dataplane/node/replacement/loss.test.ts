import { expect } from 'chai';
import { DataLostError, StorageUnavailableError } from '../../storage/errors.ts';
import { WalCorruptError, WalFormatError } from '../../wal/errors.ts';
import { lossOf } from './loss.ts';

const place = { segment: '0000000000000001.wal', offset: 1, position: 1 };

describe('what counts as the loss of data', () => {
  it('is damage of the log: a part can be served when it is known not to touch the metadata', () => {
    const damage = (groups: ReadonlySet<number> | undefined) =>
      lossOf(new WalCorruptError(place, 'x', groups))?.isPartial;
    expect([damage(undefined), damage(new Set([0, 1])), damage(new Set([1]))]).to.deep.equal([
      false,
      false,
      true,
    ]);
  });

  it('is what is missing, and nothing that an administrator can give back', () => {
    expect(lossOf(new DataLostError('gone'))).to.include({ reason: 'gone', isPartial: false });
    expect(lossOf(new StorageUnavailableError('no permission'))).to.equal(undefined);
    expect(lossOf(new WalFormatError('1.wal', 9, { oldest: 1, newest: 3 }))).to.equal(undefined);
    expect(lossOf(new Error('other'))).to.equal(undefined);
  });
});
