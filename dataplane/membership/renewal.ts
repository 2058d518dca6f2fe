import type { Clock } from '../common/clock.ts';
import { clockSkewMs, createRequest, validityOfText } from '../security/certificates.ts';
import { verifyCertificate } from '../security/certificates.ts';
import type { Admission } from './authority.ts';
import { writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredCredentials } from './cluster-files.ts';
import { JoinRefusedError } from './errors.ts';

export interface RenewalOptions {
  readonly files: ClusterFiles;
  readonly clock: Pick<Clock, 'timeOfDay' | 'sleep'>;
  /** A certificate for a request (PKCS #10, PEM) of this node. */
  readonly certify: (request: string) => Promise<Admission>;
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

const pauseOf = (certificate: string): number => {
  const { notBefore, notAfter } = validityOfText(certificate);
  const share = (notAfter - notBefore - clockSkewMs) / looksPerLifetime;
  return Math.min(lookMs.most, Math.max(lookMs.least, share));
};

/**
 * Renews the node's certificate at half of its lifetime, and tries again until it succeeds. The former one
 * stays in use meanwhile. Guarded invariant: nothing is used before it is verified and on the medium.
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
    const { clock } = this.#options;
    for (;;) {
      await clock.sleep(pauseOf(this.#credentials.certificate), signal);
      if (clock.timeOfDay() < renewalTimeOf(this.#credentials.certificate)) continue;
      try {
        await this.renew();
      } catch (error) {
        const { message } = error as Error;
        if (message !== this.failure) this.#options.failed(error as Error);
        this.failure = message;
      }
    }
  }

  /** Other authorities are trusted from now on (PEM, the newest first); the certificate stays. */
  trust(authorities: readonly string[]): void {
    const { files, renewed } = this.#options;
    this.#credentials = { ...this.#credentials, authorities };
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
    this.#credentials = { ...admission, nodeId, privateKey };
    writeFile(files, 'credentials', this.#credentials);
    this.failure = undefined;
    renewed(this.#credentials);
  }
}
