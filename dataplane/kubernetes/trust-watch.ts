import { backoffMs } from '../common/backoff.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import type { TrustSources } from './trust.ts';
import { offeredAuthorities, trustedAuthorities } from './trust.ts';

/**
 * Follows the authorities that the operator names while the node runs. Guarded invariants: a node trusts the
 * authority of its own certificate, and renews the certificate as soon as another authority signs.
 */
export interface Trust {
  /** By hash, the one that signs first. */
  readonly trusted: readonly string[];
  /** The authority of the node's own certificate; undefined when it trusts none that signed it. */
  readonly certificateOf: string | undefined;
}

export type TrustStep = { readonly isAdopted: boolean; readonly isRenewed: boolean };

/**
 * What to do about the authorities that are offered, by their hash. When the one that signed the node's own
 * certificate is not among them, they come with the next certificate: until then the node could prove itself
 * to nobody. Pure.
 */
export function decideTrust(
  { trusted, certificateOf }: Trust,
  offered: readonly string[],
): TrustStep {
  const [signing] = offered;
  if (signing === undefined) return { isAdopted: false, isRenewed: false };
  const isSame =
    trusted.length === offered.length && trusted.every((each, at) => each === offered[at]);
  const isProven = certificateOf !== undefined && offered.includes(certificateOf);
  return { isAdopted: isProven && !isSame, isRenewed: certificateOf !== signing };
}

export interface TrustWatchOptions extends TrustSources {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly chance: Pick<Chance, 'next'>;
  readonly current: () => Trust;
  /** Certificates, PEM: trusted from now on, and none but these. */
  readonly adopt: (authorities: readonly string[]) => void;
  readonly renew: () => Promise<void>;
  readonly failed: (message: string) => void;
}

/** The kubelet brings a changed ConfigMap within about a minute. */
const lookMs = 10_000;
/** After attempts that failed: all nodes may fail for the same reason. */
const retry = { initialMs: 2 * lookMs, maximumMs: 300_000 } as const;

export class TrustWatch {
  readonly #options: TrustWatchOptions;

  constructor(options: TrustWatchOptions) {
    this.#options = options;
  }

  /** Ends with the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance, failed } = this.#options;
    for (let failures = 0; ;) {
      try {
        await this.look();
        failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        failed((error as Error).message);
      }
      const pauseMs = failures === 0 ? lookMs : backoffMs(retry, failures - 1, chance.next());
      await clock.sleep(pauseMs, signal);
    }
  }

  /** Takes up what is offered now. Asks the API server only when the mounted file has changed. */
  async look(): Promise<void> {
    const { current, adopt, renew, hashOf } = this.#options;
    const mounted = await offeredAuthorities(this.#options);
    const { isAdopted: isChanged, isRenewed: isOld } = decideTrust(current(), mounted.map(hashOf));
    if (!isChanged && !isOld) return;
    const offered = await trustedAuthorities(this.#options);
    const { isAdopted, isRenewed } = decideTrust(current(), offered.map(hashOf));
    if (isAdopted) adopt(offered);
    if (isRenewed) await renew();
  }
}
