import { spawn } from '../common/spawn.ts';
import { TrustWatch } from '../kubernetes/trust-watch.ts';
import { authorityHash, authorityOf } from '../security/certificates.ts';
import type { NodeContext } from './context.ts';
import { identityDirectory } from './identity.ts';
import type { MembershipService } from './membership-service.ts';
import { podOf } from './pod.ts';
import type { Service } from './services.ts';

/** In a pod: follows the certificate authorities that the operator names, while the node runs. */
export function podTrustService(
  context: NodeContext,
  membership: Pick<MembershipService, 'membership' | 'touch'>,
): Service {
  const name = 'trust in Kubernetes';
  const node = podOf(context);
  if (node === undefined) return { name };
  const { clock, chance, logger, signal, fail } = context;
  const credentials = () => membership.membership?.credentials;
  let said: string | undefined;
  const watch = new TrustWatch({
    directory: identityDirectory,
    read: () => node.read(),
    hashOf: authorityHash,
    clock,
    chance,
    current() {
      const { certificate, authorities = [] } = credentials() ?? {};
      const issuer = certificate === undefined ? undefined : authorityOf(certificate, authorities);
      return {
        trusted: authorities.map(authorityHash),
        certificateOf: issuer === undefined ? undefined : authorityHash(issuer),
      };
    },
    adopt(authorities) {
      logger.info('the trusted certificate authorities have changed', {
        authorities: authorities.map(authorityHash),
      });
      membership.membership?.renewal.trust(authorities);
      membership.touch();
    },
    async renew() {
      await membership.membership?.renewal.renew();
      membership.touch();
    },
    failed(message) {
      if (message === said) return;
      said = message;
      logger.warn('the certificate authorities could not be read', { reason: message });
    },
  });
  return {
    name,
    start() {
      spawn(
        () => watch.run(signal),
        (error) => {
          if (!signal.aborted) fail(error as Error);
        },
      );
    },
  };
}
