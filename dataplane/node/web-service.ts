import type { Server } from 'node:net';
import { HttpPort } from '../http/http-port.ts';
import { httpLimits } from '../http/limits.ts';
import { webServer } from '../http/web.ts';
import type { WebStatus } from '../http/web.ts';
import type { LoginGuard } from '../security/login-guard.ts';
import type { PasswordChecker } from '../security/password-checker.ts';
import type { NodeContext } from './context.ts';
import { openPort } from './open-port.ts';
import type { Service } from './services.ts';
import { webLogin } from './users.ts';

export interface WebServiceParts {
  readonly passwords: PasswordChecker;
  readonly logins: LoginGuard;
  readonly status: () => Promise<WebStatus>;
}

/** The port for people and programs: the page of the administrator and its status. */
export class WebService implements Service {
  readonly name = 'web';
  readonly #context: NodeContext;
  readonly #parts: WebServiceParts;
  #port: HttpPort | undefined;
  #address = '';

  constructor(context: NodeContext, parts: WebServiceParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Undefined before it listens. */
  get tcp(): Server | undefined {
    return this.#port?.tcp;
  }

  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    const { shares, hosts } = this.#context;
    const { passwords, logins, status } = this.#parts;
    const port = new HttpPort({
      limits: { ...httpLimits, connectionsMax: shares.httpConnections },
      hosts,
      answer: webServer(status, webLogin(passwords, logins)),
    });
    this.#port = port;
    this.#address = await openPort(this.#context, port.tcp, {
      option: 'web-port',
      what: 'people and programs',
    });
  }

  drain(): void {
    this.#port?.tcp.close();
  }

  stop(): void {
    this.#port?.destroy();
  }
}
