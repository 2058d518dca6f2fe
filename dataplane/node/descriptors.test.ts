import { expect } from 'chai';
import { descriptorLimit, shareDescriptors } from './descriptors.ts';

const wanted = { driverConnections: 1_024, httpConnections: 256, refusing: 64 };

describe('the shares of file descriptors', () => {
  it('are as requested when there are enough, or the limit is unknown', () => {
    const all = { driverConnections: 1_024, httpConnections: 256 };
    expect(shareDescriptors(undefined, wanted)).to.deep.equal(all);
    expect(shareDescriptors(1_048_576, wanted)).to.deep.equal(all);
  });

  it('leave the node its own within every limit that it can work with', () => {
    for (let limit = 0; limit < 4_000; limit += 1) {
      let shares;
      try {
        shares = shareDescriptors(limit, wanted);
      } catch (error) {
        expect(limit).to.be.below(256);
        expect((error as Error).message).to.contain('ulimit -n');
        continue;
      }
      const { driverConnections, httpConnections } = shares;
      expect(driverConnections).to.be.within(16, 1_024);
      expect(httpConnections).to.be.within(8, 256);
      expect(driverConnections + 2 * httpConnections + wanted.refusing).to.be.at.most(limit - 100);
    }
  });

  it('allow few connections where few are wanted', () => {
    const few = { ...wanted, driverConnections: 1 };
    expect(shareDescriptors(256, few).driverConnections).to.equal(1);
  });

  it('follow the limit that the system tells', () => {
    const text =
      'Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files     \n';
    expect(descriptorLimit(() => text)).to.equal(1_024);
    expect(descriptorLimit(() => 'nothing of it')).to.equal(undefined);
    expect(
      descriptorLimit(() => {
        throw new Error('ENOENT');
      }),
    ).to.equal(undefined);
    expect(descriptorLimit()).to.be.above(0);
  });
});
