import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import type { MembershipLog } from './membership-log.ts';

/**
 * Counts connections that were refused before there was a session, by reason, and logs a few for each
 * address, reason and minute. Guarded invariant: what is kept is bounded, whatever strangers send.
 */
const logWindowMs = 60_000;
/** In a window, so that two causes of one reason are both seen. */
const linesMax = 3;
const logsMax = 1_024;

const reasons: ReadonlyMap<string, string> = new Map([
  ['security.certificate_refused', 'certificate'],
  ['net.session_refused', 'session'],
  ['net.connections', 'connections'],
  ['membership.removed', 'removed'],
  ['membership.join_refused', 'join'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'timeout'],
  ['ECONNRESET', 'closed'],
  ['net.connection_lost', 'closed'],
]);

function reasonOf(error: Error): string {
  const code = (error as { readonly code?: unknown }).code;
  const named = typeof code === 'string' ? reasons.get(code) : undefined;
  if (named !== undefined) return named;
  return error instanceof PhotonError ? 'message' : 'handshake';
}

/** `[::1]:5`, `10.0.0.1:5` and addresses without a port: the port differs for each connection. */
const hostOf = (address: string): string =>
  address.includes('.') || address.startsWith('[') ? address.replace(/:\d+$/, '') : address;

export class ConnectionRefusals {
  readonly #counts = new Map<string, number>();
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Pick<MembershipLog, 'warn'>;
  /** The oldest window first. */
  readonly #logged = new Map<string, { readonly since: number; lines: number }>();

  constructor(clock: Pick<Clock, 'now'>, log: Pick<MembershipLog, 'warn'>) {
    this.#clock = clock;
    this.#log = log;
  }

  /** By reason. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  note(address: string, error: Error): void {
    const reason = reasonOf(error);
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const now = this.#clock.now();
    const key = `${reason} ${hostOf(address)}`;
    let window = this.#logged.get(key);
    if (window === undefined || now - window.since >= logWindowMs) {
      this.#logged.delete(key);
      window = { since: now, lines: 0 };
      this.#logged.set(key, window);
      const [oldest] = this.#logged.keys();
      if (this.#logged.size > logsMax && oldest !== undefined) this.#logged.delete(oldest);
    }
    if (window.lines >= linesMax) return;
    window.lines += 1;
    const said =
      reason === 'closed' && !(error instanceof PhotonError)
        ? 'The other side closed the connection before it said what it wants.'
        : error.message;
    this.#log.warn('a connection of a node is refused', { address, reason: said });
  }
}
