import { expect } from 'chai';
import { selfQuarantineReason } from './self-quarantine.ts';

const own = { isSelf: true, status: 'alive', roles: ['data'] } as const;
const other = { isSelf: false, status: 'alive', roles: ['data'] } as const;
const corrupt = { name: 'd.t', damage: { code: 'wal.corrupt', message: 'segment 3' } };

describe('a node with a damaged log', () => {
  it('quarantines itself where another node with data serves', () => {
    expect(selfQuarantineReason([corrupt], [own, other])).to.equal('table d.t: segment 3');
  });

  it('serves what is intact where it is the only one with data', () => {
    const coordinator = { ...other, roles: ['coordinator'] } as const;
    const dead = { ...other, status: 'dead' } as const;
    expect(selfQuarantineReason([corrupt], [own, coordinator, dead])).to.equal(undefined);
    expect(selfQuarantineReason([], [own, other])).to.equal(undefined);
    const document = { name: 'd.t', damage: { code: 'shard.document', message: 'x' } };
    expect(selfQuarantineReason([document], [own, other])).to.equal(undefined);
  });
});
