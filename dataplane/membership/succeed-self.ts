import type { Clock } from '../common/clock.ts';
import { createRequest, verifyCertificate } from '../security/certificates.ts';
import type { Admissions } from './admissions.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { JoinRefusedError } from './errors.ts';

interface Successor {
  readonly credentials: StoredCredentials;
  readonly admissions: Pick<Admissions, 'succeed'>;
  readonly clock: Pick<Clock, 'timeOfDay'>;
}

/** Credentials for the node ID under which this node begins again, on the word of its present certificate. */
export async function succeedSelf(
  { credentials, admissions, clock }: Successor,
  successor: string,
): Promise<StoredCredentials> {
  const { clusterId, nodeId } = credentials;
  const identity = { clusterId, nodeId: successor };
  const { privateKey, request } = await createRequest({ identity });
  const admission = await admissions.succeed(nodeId, { successor, request });
  const { certificate, authorities } = admission;
  const proven = await verifyCertificate(certificate, authorities, clock.timeOfDay());
  if (proven.identity.nodeId === successor && proven.identity.clusterId === clusterId) {
    return { ...admission, nodeId: successor, privateKey };
  }
  throw new JoinRefusedError('The authority has answered with a certificate of another node.');
}
