import type { Clock } from '../common/clock.ts';
import { clockSkewMs, createRequest, validityOfText } from '../security/certificates.ts';
import { rolesOfText, verifyCertificate } from '../security/certificates.ts';
import type { Admission } from './authority.ts';
import { writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredCredentials } from './cluster-files.ts';
import { JoinRefusedError } from './errors.ts';
import type { Role } from './peer-requests.ts';

export interface RenewalOptions {
  readonly files: ClusterFiles;
  readonly clock: Pick<Clock, 'timeOfDay' | 'sleep'>;
  /** A certificate for a request (PKCS #10, PEM) of this node. */
  readonly certify: (request: string) => Promise<Admission>;
  /** Of this node, by its configuration. */
  readonly roles: readonly Role[];
  readonly renewed: (credentials: StoredCredentials) => void;
  readonly failed: (error: Error) => void;
}

/** Of the lifetime, between two looks at the clock. */
const looksPerLifetime = 100;
const lookMs = { least: 50, most: 60_000 } as const;

const renewalTimeOf = (certificate: string): number => {
  const { notBefore, notAfter } = validityOfText(certificate);
  return notAfter - (notAfter - notBefore - clockSkewMs) / 2;
};

/** Of a certificate for other roles, between two attempts to replace it. */
const roleLookMs = 5_000;

/** Whether a certificate names exactly these roles. */
export const hasRoles = (certificate: string, roles: readonly Role[]): boolean =>
  rolesOfText(certificate)?.toSorted().join() === roles.toSorted().join();

export const hasSameRoles = (one: string, other: string): boolean =>
  rolesOfText(one)?.toSorted().join() === rolesOfText(other)?.toSorted().join();

/** Undefined when the certificate names the roles of the node. */
export const roleWarningOf = (certificate: string, roles: readonly Role[]): string | undefined =>
  hasRoles(certificate, roles)
    ? undefined
    : `the certificate of this node does not name its roles, but ${rolesOfText(certificate)?.join(', ') ?? 'none'}: restart it with --join, --join-token and --join-ca-hash to have them`;

const pauseOf = (certificate: string): number => {
  const { notBefore, notAfter } = validityOfText(certificate);
  const share = (notAfter - notBefore - clockSkewMs) / looksPerLifetime;
  return Math.min(lookMs.most, Math.max(lookMs.least, share));
};

/**
 * Renews the node's certificate at half of its lifetime, and once at the start when it does not name the roles of the
 * node; tries again until it succeeds. The former one stays in use meanwhile. Guarded invariant: nothing is used before it is verified and on the medium.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  #credentials: StoredCredentials;
  /** Why the last attempt failed; undefined after one that succeeded. */
  failure: string | undefined;

  constructor(options: RenewalOptions, credentials: StoredCredentials) {
    this.#options = options;
    this.#credentials = credentials;
  }

  /** Ends with the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, roles } = this.#options;
    let isForOthers = !hasRoles(this.#credentials.certificate, roles);
    for (;;) {
      const pauseMs = pauseOf(this.#credentials.certificate);
      await clock.sleep(isForOthers ? Math.min(pauseMs, roleLookMs) : pauseMs, signal);
      const isTime = clock.timeOfDay() >= renewalTimeOf(this.#credentials.certificate);
      if (!isForOthers && !isTime) continue;
      try {
        await this.renew();
        isForOthers = false;
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.failure) this.#options.failed(error as Error);
        this.failure = message;
      }
    }
  }

  /**
   * Other authorities are trusted from now on (PEM, the one that signs first); the certificate stays. `version`: outside
   * of Kubernetes.
   */
  trust(authorities: readonly string[], version?: number): void {
    const { files, renewed } = this.#options;
    const trustVersion = version === undefined ? {} : { trustVersion: version };
    this.#credentials = { ...this.#credentials, authorities, ...trustVersion };
    writeFile(files, 'credentials', this.#credentials);
    renewed(this.#credentials);
  }

  async renew(): Promise<void> {
    const { files, clock, certify, renewed } = this.#options;
    const { nodeId, clusterId } = this.#credentials;
    const { privateKey, request } = await createRequest({ identity: { clusterId, nodeId } });
    const admission = await certify(request);
    const { certificate, authorities } = admission;
    const { identity } = await verifyCertificate(certificate, authorities, clock.timeOfDay());
    if (identity.nodeId !== nodeId || identity.clusterId !== clusterId) {
      throw new JoinRefusedError('The authority has answered with a certificate of another node.');
    }
    const { trustVersion = 0, authorities: trusted } = this.#credentials;
    // What the node trusts may have changed while it waited for the answer.
    const isOlder = (admission.trustVersion ?? 0) < trustVersion;
    const kept = isOlder ? { authorities: trusted, trustVersion } : {};
    this.#credentials = { ...admission, ...kept, nodeId, privateKey };
    writeFile(files, 'credentials', this.#credentials);
    this.failure = undefined;
    renewed(this.#credentials);
  }
}
