import { expect } from 'chai';
import { FormationError } from './errors.ts';
import { formationOf } from './formation.ts';
import type { Formation, FormationFacts } from './formation.ts';

const nodeId = 'aaaaaaaa-0000-4000-8000-000000000000';
const clusterId = '11111111-2222-4333-8444-555555555555';

const facts = (changes: Partial<FormationFacts>): FormationFacts => ({
  directory: '/data',
  nodeId: undefined,
  clusterId: undefined,
  credentials: 'missing',
  isAuthority: false,
  found: false,
  join: [],
  hasBootstrap: false,
  ...changes,
});

const join = ['10.0.0.1:29015'];
const member = { nodeId, clusterId, credentials: 'valid' } as const;

describe('the formation of a cluster', () => {
  const cases: Readonly<Record<string, [Partial<FormationFacts>, Formation]>> = {
    'founds from an empty directory without a node to join': [
      {},
      { type: 'founding', nodeId: undefined },
    ],
    'founds from an empty directory when asked to, whatever it may join': [
      { found: true, join, hasBootstrap: true },
      { type: 'founding', nodeId: undefined },
    ],
    'founds with the data of a release without clusters, under its node ID': [
      { nodeId },
      { type: 'founding', nodeId },
    ],
    'joins from an empty directory with a credential': [
      { join, hasBootstrap: true },
      { type: 'joining', nodeId: undefined, clusterId: undefined },
    ],
    'rejoins with a stored certificate, without a token or a node to join': [
      member,
      { type: 'rejoining', nodeId, clusterId },
    ],
    'rejoins also when it is asked to found: a cluster is founded once': [
      { ...member, found: true },
      { type: 'rejoining', nodeId, clusterId },
    ],
    'rejoins as the authority whatever became of its certificate': [
      { ...member, credentials: 'expired', isAuthority: true },
      { type: 'rejoining', nodeId, clusterId },
    ],
    'joins again under its IDs when its certificate has expired': [
      { ...member, credentials: 'expired', join, hasBootstrap: true },
      { type: 'joining', nodeId, clusterId },
    ],
  };
  for (const [about, [given, wanted]] of Object.entries(cases)) {
    it(about, () => expect(formationOf(facts(given))).to.deep.equal(wanted));
  }

  const refusals: Readonly<Record<string, [Partial<FormationFacts>, RegExp]>> = {
    'an empty directory that may not found and has no credential': [
      { join },
      /is empty, and there is no credential .*--join-token/,
    ],
    'joining with data of its own': [
      { nodeId, join, hasBootstrap: true },
      /has data of its own.*Use an empty directory/,
    ],
    'rejoining with an expired certificate and no token': [
      { ...member, credentials: 'expired' },
      /has expired in \/data\/cluster.*--join-token/,
    ],
    'rejoining with an expired certificate and a token, but nobody to ask': [
      { ...member, credentials: 'expired', hasBootstrap: true },
      /has expired/,
    ],
    'rejoining without the files of the cluster': [
      { ...member, credentials: 'missing' },
      /is missing in \/data\/cluster.*Restore the folder/,
    ],
  };
  for (const [about, [given, reason]] of Object.entries(refusals)) {
    it(`refuses ${about}`, () => {
      expect(() => formationOf(facts(given))).to.throw(FormationError, reason);
    });
  }
});
