import { expect } from 'chai';
import { clusterWith } from '../api/testing/clusters.ts';
import { clientService } from '../resources/services.ts';
import type { ObservedService } from './service-fault.ts';
import { serviceFault } from './service-fault.ts';

const wanted: ObservedService = clientService(clusterWith());
const [driver = {}, ...others] = wanted.spec?.ports ?? [];

function faultOf(change: ObservedService['spec']): string | undefined {
  return serviceFault(wanted, { ...wanted, spec: { ...wanted.spec, ...change } });
}

describe('the Service for clients', () => {
  it('has no fault as the operator makes it, and with a port more', () => {
    expect(faultOf({})).to.equal(undefined);
    const more = { name: 'more', port: 1, targetPort: 1 };
    expect(faultOf({ ports: [driver, ...others, more] })).to.equal(undefined);
  });

  const faults: readonly [about: string, change: ObservedService['spec'], words: string][] = [
    ['a port is missing', { ports: others }, 'port 28015 (driver) is missing'],
    [
      'a port leads elsewhere',
      { ports: [{ ...driver, targetPort: 'http' }, ...others] },
      'port 28015 (driver) leads to http and has to lead to driver',
    ],
    [
      'a port is one of another protocol',
      { ports: [{ ...driver, protocol: 'UDP' }, ...others] },
      'port 28015 (driver) is missing',
    ],
    ['it selects other pods', { selector: { app: 'other' } }, 'its selector is "app=other"'],
    ['it selects nothing', { selector: {} }, 'its selector is ""'],
    ['it is a name of something else', { type: 'ExternalName' }, 'ExternalName'],
  ];
  for (const [about, change, words] of faults) {
    it(`is at fault when ${about}`, () => {
      expect(faultOf(change)).to.contain(words);
    });
  }

  it('is at fault when it is not there, or is about to go', () => {
    expect(serviceFault(wanted, undefined)).to.contain('has no Service orders of its own');
    const metadata = { ...wanted.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(serviceFault(wanted, { ...wanted, metadata })).to.contain('is being deleted');
  });
});
