import type { Server, Socket } from 'node:net';
import type { Clock } from '../common/clock.ts';
import type { Logger } from '../observability/logger.ts';

/** Says who comes and goes at a port (`debug`), and that clients could not be accepted. */
const complainEveryMs = 10_000;

export class PortLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  follow(server: Server, port: string): void {
    const at = server.address();
    this.#logger.debug('listening', { port, at: typeof at === 'object' ? { ...at } : at });
    server.on('connection', (socket: Socket) => this.#connected(socket, port));
    server.on('drop', (data) =>
      this.#logger.debug('a connection above the limit was dropped', { port, ...data }),
    );
    server.on('error', (error: NodeJS.ErrnoException) => this.#acceptFailed(error, port));
  }

  #connected(socket: Socket, port: string): void {
    const since = this.#clock.now();
    const from = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.#logger.debug('a client connected', { port, from });
    socket.once('close', () => {
      const ms = Math.round(this.#clock.now() - since);
      const { bytesRead, bytesWritten } = socket;
      this.#logger.debug('a client disconnected', { port, from, ms, bytesRead, bytesWritten });
    });
  }

  /** EMFILE, ENFILE and clients that went away end nothing: others are accepted when there is room. */
  #acceptFailed({ code, message }: NodeJS.ErrnoException, port: string): void {
    this.#failures += 1;
    const now = this.#clock.now();
    if (now - this.#complainedAt < complainEveryMs) return;
    this.#complainedAt = now;
    const fields = { port, code, error: message, failures: this.#failures };
    this.#logger.warn('clients could not be accepted', fields);
  }
}
