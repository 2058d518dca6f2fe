/** A stage whose operator also signs certificates, at a port of the loopback device. */
import { AuthorityStore } from '../../authority/authority-store.ts';
import type { RefusalCode } from '../../authority/refusal.ts';
import { ServingCertificates } from '../../authority/serving-certificates.ts';
import { Signer } from '../../authority/signer.ts';
import type { SigningServer } from '../../authority/signing-server.ts';
import { startSigningServer } from '../../authority/signing-server.ts';
import { systemClock } from '../../controller/clock.ts';
import type { Fields } from '../../observability/logger.ts';
import type { Stage } from './stage.ts';

interface Said extends Fields {
  readonly message: string;
}

export interface RunningSigner {
  readonly server: SigningServer;
  readonly logged: readonly Said[];
  readonly outcomes: readonly ('issued' | RefusalCode)[];
}

export async function startSigner({ operator, client }: Stage): Promise<RunningSigner> {
  const view = operator?.operator.signerView();
  if (view === undefined) throw new Error('the stage has no operator');
  const clock = systemClock;
  const store = new AuthorityStore(client, clock);
  const logged: Said[] = [];
  const outcomes: ('issued' | RefusalCode)[] = [];
  const log = (message: string, fields: Fields = {}): void => {
    logged.push({ ...fields, message });
  };
  const server = await startSigningServer({
    bind: '127.0.0.1',
    port: 0,
    signer: new Signer({ client, clock, store, view }),
    serving: new ServingCertificates(view, store, clock),
    clock,
    log: { error: log, warn: log, info: log, debug: log },
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  return { server, logged, outcomes };
}
