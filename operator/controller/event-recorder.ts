/**
 * Events for people who ask `kubectl describe` what happened and why. They are a courtesy: never
 * waited for, bounded, and dropped when the server does not take them. An event that repeats is
 * one object with a counter; a stream of different ones about one object is thinned out.
 */
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import { microTime } from './micro-time.ts';
import { TokenBucket } from './token-bucket.ts';

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
}

export interface EventInput {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** Why, in one CamelCase word: `RolledBack`. */
  readonly reason: string;
  /** What was done, in one CamelCase word: `DeletePod`. */
  readonly action: string;
  /** The sentence for people. */
  readonly note: string;
}

/** An object of events.k8s.io/v1. */
export interface EventObject {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly type: string;
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly regarding: ObjectReference;
}

export interface EventSeries {
  readonly count: number;
  readonly lastObservedTime: string;
}

interface EventSink {
  create(event: EventObject, signal: AbortSignal): Promise<void>;
  /** Counts an event on; resolves with false when the server has already forgotten it. */
  count(event: EventObject, series: EventSeries, signal: AbortSignal): Promise<boolean>;
}

export interface EventRecorderOptions {
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly random: () => number;
  /** Such as `photondb.io/operator`. */
  readonly controller: string;
  /** The name of this pod. */
  readonly instance: string;
  readonly observe?: (observation: 'sent' | 'counted' | 'dropped') => void;
}

/** The API's own bounds of the fields. */
const noteBytesMax = 1024;
const instanceLengthMax = 128;

/** Events that wait to be sent; more would be old news when their turn comes. */
const pendingMax = 500;

/** Events that are remembered to be counted on, and objects whose streams are thinned out. */
const rememberedMax = 2_000;

/** Repetitions within this time are one event; the server keeps events for an hour. */
const sameMs = 10 * 60_000;

/** A counter is written this often at most. */
const countMs = 30_000;

/** About one object: 25 different events at once, then one in five minutes. */
const perObject = { ratePerSecond: 1 / 300, burst: 25 };

const attemptsMax = 3;
const backoffLimits = { firstMs: 500, maxMs: 5_000 };

/** How long the last events may take at the end. */
const flushMs = 2_000;

interface Known {
  event: EventObject;
  count: number;
  lastMs: number;
  lastWallMs: number;
  /** What was sent to the server. */
  toldCount: number;
  toldMs: number;
  isPending: boolean;
}

/** Cuts a text to a number of UTF-8 bytes, at a whole character. */
function cut(text: string, bytesMax: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= bytesMax) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, bytesMax - 6)).replace(/\uFFFD+$/, '')}...`;
}

/** Drops the entries used longest ago: maps keep the order of insertion. */
function trim(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= rememberedMax) return;
    map.delete(key);
  }
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #known = new Map<string, Known>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #pending: Known[] = [];
  readonly #stopper = new AbortController();
  #sending: Promise<void> | undefined;
  #isStopped = false;
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Notes an event. It never throws and never waits. */
  emit(input: EventInput): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    const now = clock.now();
    const id = JSON.stringify([
      input.regarding.uid ?? input.regarding,
      input.type,
      input.reason,
      input.action,
      input.note,
    ]);
    const known = this.#known.get(id);
    if (known !== undefined && now - known.lastMs < sameMs) {
      known.count += 1;
      known.lastMs = now;
      known.lastWallMs = clock.wallMs();
      this.#known.delete(id);
      this.#known.set(id, known);
      if (now - known.toldMs >= countMs) this.#enqueue(known);
      return;
    }
    if (!this.#mayReport(input.regarding, now)) {
      this.#observe('dropped');
      return;
    }
    const fresh: Known = {
      event: this.#eventOf(input),
      count: 1,
      lastMs: now,
      lastWallMs: clock.wallMs(),
      toldCount: 0,
      toldMs: now,
      isPending: false,
    };
    this.#known.set(id, fresh);
    trim(this.#known);
    this.#enqueue(fresh);
  }

  /** Sends the remaining events and counters, with a time limit. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const known of this.#known.values()) {
      if (known.count > known.toldCount) this.#enqueue(known);
    }
    const cancel = this.#options.clock.after(flushMs, () => this.#stopper.abort());
    await this.#sending;
    cancel();
    this.#stopper.abort();
  }

  #mayReport(regarding: ObjectReference, now: number): boolean {
    const id = regarding.uid ?? JSON.stringify(regarding);
    const bucket = this.#buckets.get(id) ?? new TokenBucket(perObject);
    this.#buckets.delete(id);
    this.#buckets.set(id, bucket);
    trim(this.#buckets);
    return bucket.tryTake(now);
  }

  #eventOf(input: EventInput): EventObject {
    const { clock, controller, instance, random } = this.#options;
    const wallMs = clock.wallMs();
    this.#serial += 1;
    const suffix = [wallMs, this.#serial, Math.floor(random() * 2 ** 32)].map((n) =>
      n.toString(36),
    );
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        // The API ties the events of cluster-wide objects to this namespace.
        namespace: input.regarding.namespace ?? 'default',
        name: `${input.regarding.name.slice(0, 200)}.${suffix.join('')}`,
      },
      eventTime: microTime(wallMs),
      reportingController: controller,
      reportingInstance: instance.slice(0, instanceLengthMax),
      type: input.type,
      reason: input.reason,
      action: input.action,
      note: cut(input.note, noteBytesMax),
      regarding: input.regarding,
    };
  }

  #enqueue(known: Known): void {
    if (known.isPending) return;
    if (this.#pending.length >= pendingMax) {
      this.#observe('dropped');
      return;
    }
    known.isPending = true;
    this.#pending.push(known);
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  async #send(): Promise<void> {
    for (let known = this.#pending.shift(); known !== undefined; known = this.#pending.shift()) {
      known.isPending = false;
      if (this.#stopper.signal.aborted || !(await this.#sendOne(known))) this.#observe('dropped');
    }
  }

  async #sendOne(known: Known): Promise<boolean> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopper;
    for (let attempt = 0; attempt < attemptsMax && !signal.aborted; attempt += 1) {
      try {
        await this.#tell(known, signal);
        return true;
      } catch {
        // The caller cannot act on it; the counter of dropped events shows it.
        await sleep(clock, backoffMs(backoffLimits, attempt, random), signal);
      }
    }
    return false;
  }

  /** Creates the event, or counts it on; a forgotten one is created again under a new name. */
  async #tell(known: Known, signal: AbortSignal): Promise<void> {
    const { sink, clock } = this.#options;
    const count = known.count;
    if (known.toldCount > 0) {
      const series = { count, lastObservedTime: microTime(known.lastWallMs) };
      if (await sink.count(known.event, series, signal)) {
        this.#told(known, count);
        this.#observe('counted');
        return;
      }
      const name = `${known.event.metadata.name}.${count.toString(36)}`;
      const metadata = { ...known.event.metadata, name };
      known.event = { ...known.event, metadata, eventTime: microTime(clock.wallMs()) };
    }
    await sink.create(known.event, signal);
    this.#told(known, count);
    this.#observe('sent');
  }

  #told(known: Known, count: number): void {
    known.toldCount = count;
    known.toldMs = this.#options.clock.now();
  }

  #observe(observation: 'sent' | 'counted' | 'dropped'): void {
    this.#options.observe?.(observation);
  }
}
