import type { Clock } from '../common/clock.ts';
import type { TrustSources } from './trust.ts';
import { trustedAuthorities } from './trust.ts';

/**
 * Follows the authorities that the operator names while the node runs. Guarded invariant: a node never
 * gives up all trust, and it renews its certificate as soon as another authority signs.
 */
export interface Trust {
  /** By hash, the one that signs first. */
  readonly trusted: readonly string[];
  /** The authority of the node's own certificate; undefined when it trusts none that signed it. */
  readonly certificateOf: string | undefined;
}

export type TrustStep = { readonly isAdopted: boolean; readonly isRenewed: boolean };

/** What to do about the authorities that are offered, by their hash. Pure. */
export function decideTrust(
  { trusted, certificateOf }: Trust,
  offered: readonly string[],
): TrustStep {
  const [signing] = offered;
  if (signing === undefined) return { isAdopted: false, isRenewed: false };
  const isSame =
    trusted.length === offered.length && trusted.every((each, at) => each === offered[at]);
  return { isAdopted: !isSame, isRenewed: certificateOf !== signing };
}

export interface TrustWatchOptions extends TrustSources {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly current: () => Promise<Trust>;
  /** Certificates, PEM: trusted from now on, and none but these. */
  readonly adopt: (authorities: readonly string[]) => void;
  readonly renew: () => Promise<void>;
  readonly failed: (message: string) => void;
}

/** The kubelet brings a changed ConfigMap within about a minute. */
const lookMs = 10_000;

export class TrustWatch {
  readonly #options: TrustWatchOptions;

  constructor(options: TrustWatchOptions) {
    this.#options = options;
  }

  /** Ends with the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, failed } = this.#options;
    for (;;) {
      try {
        await this.look();
      } catch (error) {
        signal.throwIfAborted();
        failed((error as Error).message);
      }
      await clock.sleep(lookMs, signal);
    }
  }

  /** Takes up what is offered now. */
  async look(): Promise<void> {
    const { current, adopt, renew, hashOf } = this.#options;
    const offered = await trustedAuthorities(this.#options);
    const { isAdopted, isRenewed } = decideTrust(await current(), offered.map(hashOf));
    if (isAdopted) adopt(offered);
    if (isRenewed) await renew();
  }
}
