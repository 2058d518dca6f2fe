/**
 * One request of the API, from its turn in the limiter over its attempts to its answer or error.
 * It knows HTTP and retries, not what the verbs mean.
 */
import type { KubeConfig } from './config.ts';
import { KubeError, errorOfStatus, isKubeError } from './errors.ts';
import type { Status } from './errors.ts';
import type { CallOptions, KubeClientOptions, RequestObservation, Verb } from './options.ts';
import { RequestLimiter, defaultRequestLimits } from './request-limiter.ts';
import { attemptsMax, retryDelayMs } from './retry.ts';
import type { Timing } from './timing.ts';
import { systemTiming } from './timing.ts';
import { StreamRefused, Transport } from './transport.ts';
import type { HttpAnswer, HttpRequest } from './transport.ts';
import { linesOf } from './watch-events.ts';

export interface Call {
  readonly verb: Verb;
  /** Plural, with the subresource: a label of metrics. */
  readonly resource: string;
  /** May be sent again when its answer is lost. */
  readonly idempotent: boolean;
  readonly request: Omit<HttpRequest, 'signal'>;
  readonly options: CallOptions;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new KubeError('kube.malformed', `not JSON: ${text.slice(0, 200)}`, { cause: error });
  }
}

function errorOfAnswer(answer: HttpAnswer): KubeError {
  let status: Status = { message: answer.text.slice(0, 500) };
  try {
    const body: unknown = JSON.parse(answer.text);
    if (typeof body === 'object' && body !== null && 'status' in body) status = body as Status;
  } catch {
    // Not the API server but something in front of it answered: its text is the message.
  }
  return errorOfStatus(answer.status, status, answer.retryAfterMs);
}

function outcomeOf(error: KubeError): string {
  return error.status === 0 ? error.code : String(error.status);
}

export class Requester {
  readonly #transport: Transport;
  readonly #limiter: RequestLimiter;
  readonly #timing: Timing;
  readonly #onRequest: (observation: RequestObservation) => void;

  constructor(config: KubeConfig, options: KubeClientOptions) {
    this.#timing = options.timing ?? systemTiming;
    this.#transport = new Transport(config, () => this.#timing.now());
    this.#limiter = new RequestLimiter(options.limits ?? defaultRequestLimits, this.#timing);
    this.#onRequest = options.onRequest ?? (() => undefined);
  }

  /** Sends, and sends again as retry.ts allows; resolves with the object of a 2xx answer. */
  async object(call: Call): Promise<object> {
    const body = parseJson(await this.#text(call));
    if (typeof body !== 'object' || body === null) {
      throw new KubeError('kube.malformed', `${call.request.path}: not an object`);
    }
    return body;
  }

  /** The lines of a long answer, one attempt; a pause of idleMs between two bytes is an error. */
  async *lines(call: Call, idleMs: number): AsyncGenerator<string, void, undefined> {
    const { signal } = call.options;
    await this.#limiter.pace(signal);
    const startedAt = this.#timing.now();
    try {
      yield* linesOf(this.#transport.stream({ ...call.request, signal }, idleMs));
      this.#observe(call, { outcome: '200', attempt: 1, startedAt });
    } catch (error) {
      const failure = error instanceof StreamRefused ? errorOfAnswer(error.answer) : error;
      if (isKubeError(failure)) {
        this.#observe(call, { outcome: outcomeOf(failure), attempt: 1, startedAt });
      }
      if (isKubeError(failure, 'kube.unauthorized')) this.#transport.expireCredentials();
      throw failure;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #text(call: Call): Promise<string> {
    let refused = false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(call, attempt);
      if (typeof outcome === 'string') return outcome;
      // A token may have been rotated a moment ago: read it again, once.
      if (outcome.code === 'kube.unauthorized' && !refused) {
        refused = true;
        this.#transport.expireCredentials();
        continue;
      }
      const at = { attempt, idempotent: call.idempotent };
      const delayMs = retryDelayMs(outcome, at, () => this.#timing.random());
      if (delayMs === undefined || attempt >= attemptsMax) throw outcome;
      await this.#timing.sleep(delayMs, call.options.signal);
      if (call.options.signal?.aborted === true) throw outcome;
    }
  }

  async #attempt(call: Call, attempt: number): Promise<string | KubeError> {
    const { signal, urgent } = call.options;
    const leave = urgent === true ? undefined : await this.#limiter.enter(signal);
    const startedAt = this.#timing.now();
    let outcome = 'failed';
    try {
      const answer = await this.#transport.send({ ...call.request, signal });
      outcome = String(answer.status);
      return answer.status >= 200 && answer.status < 300 ? answer.text : errorOfAnswer(answer);
    } catch (error) {
      if (!isKubeError(error)) throw error;
      outcome = error.code;
      return error;
    } finally {
      leave?.();
      this.#observe(call, { outcome, attempt, startedAt });
    }
  }

  #observe(
    call: Call,
    end: { readonly outcome: string; readonly attempt: number; readonly startedAt: number },
  ): void {
    const { outcome, attempt, startedAt } = end;
    const durationMs = this.#timing.now() - startedAt;
    this.#onRequest({ verb: call.verb, resource: call.resource, outcome, attempt, durationMs });
  }
}
