import type { Chance } from '../common/chance.ts';
import { createRequest, rolesOfText, validityOfText } from '../security/certificates.ts';
import { Authority } from './authority.ts';
import type { AuthorityOptions } from './authority.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { formationOf } from './formation.ts';
import type { Formation, FormationFacts } from './formation.ts';
import type { Role } from './peer-requests.ts';
import { hasRoles } from './renewal.ts';
import { RingKeeper } from './ring-keeper.ts';

/**
 * Carries out what `formationOf` decides: at the end the node has an identity and credentials that prove it.
 * Guarded invariant: everything that belongs to an identity is on the medium before the identity is, so that
 * an interrupted start begins from the beginning and never with half of a cluster.
 */
export interface FormOptions extends AuthorityOptions {
  readonly chance: Pick<Chance, 'bytes' | 'uuid'>;
  readonly facts: Omit<FormationFacts, 'credentials' | 'isAuthority'>;
  /** Gets credentials from the cluster for a node ID, with the key that the cluster knows if there is one. */
  join(nodeId: string, known: StoredCredentials | undefined): Promise<StoredCredentials>;
  readonly roles: readonly Role[];
  readonly decided: (type: Formation['type']) => void;
}

export interface FormedCluster {
  readonly type: Formation['type'];
  readonly credentials: StoredCredentials;
  /** On the node that holds the authority of the cluster. */
  readonly authority: Authority | undefined;
}

export async function formCluster(options: FormOptions): Promise<FormedCluster> {
  const { facts, files, chance } = options;
  const stored = storedOf(options);
  const authority =
    facts.clusterId === undefined ? undefined : Authority.open(options, facts.clusterId);
  const credentials = stateOf(options, stored);
  const formation = formationOf({ ...facts, credentials, isAuthority: authority !== undefined });
  options.decided(formation.type);
  switch (formation.type) {
    case 'founding':
      return found(options, formation.nodeId ?? chance.uuid());
    case 'joining': {
      const joined = await options.join(formation.nodeId ?? chance.uuid(), stored);
      writeFile(files, 'credentials', joined);
      return { type: 'joining', credentials: joined, authority: undefined };
    }
    case 'rejoining': {
      if (stored !== undefined && credentials !== 'expired') {
        return { type: 'rejoining', credentials: stored, authority };
      }
      const own = authority as Authority;
      const certified = await certify(options, own, formation.nodeId);
      return { type: 'rejoining', credentials: certified, authority: own };
    }
  }
}

/** Those of this node in this cluster; what another cluster has left behind counts for nothing. */
function storedOf({ files, facts }: FormOptions): StoredCredentials | undefined {
  const stored = readFile(files, 'credentials');
  const isOwn = stored?.nodeId === facts.nodeId && stored?.clusterId === facts.clusterId;
  return isOwn ? stored : undefined;
}

function stateOf(
  { clock, roles }: FormOptions,
  stored: StoredCredentials | undefined,
): FormationFacts['credentials'] {
  if (stored === undefined) return 'missing';
  if (clock.timeOfDay() > validityOfText(stored.certificate).notAfter) return 'expired';
  // Of an earlier release: it is renewed while the node runs.
  const namesNone = rolesOfText(stored.certificate) === undefined;
  return namesNone || hasRoles(stored.certificate, roles) ? 'valid' : 'otherRoles';
}

async function found(options: FormOptions, nodeId: string): Promise<FormedCluster> {
  const { chance, files } = options;
  const authority = await Authority.create(options, chance.uuid());
  RingKeeper.create(files, chance);
  files.remove('peers.json');
  return { type: 'founding', credentials: await certify(options, authority, nodeId), authority };
}

async function certify(
  { files, roles }: FormOptions,
  authority: Authority,
  nodeId: string,
): Promise<StoredCredentials> {
  const { privateKey, request } = await createRequest();
  const admission = await authority.certify(nodeId, request, roles);
  const credentials = { ...admission, nodeId, privateKey };
  writeFile(files, 'credentials', credentials);
  return credentials;
}
