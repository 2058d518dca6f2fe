import { Prng } from '../../common/prng.ts';
import type { MembershipTarget } from '../configuration.ts';
import type { Entry, HardState } from '../entry.ts';
import type { Message, MessageBody } from '../message.ts';
import type { RaftOptions } from '../options.ts';
import { RaftLog } from '../raft-log.ts';
import { Raft } from '../raft.ts';
import type { Fetch, Persist, ReadAnswer } from '../ready.ts';

/** Machines whose effects a test carries out by hand, message by message and sync by sync. */
export const electionTicks = 10;
export const heartbeatTicks = 2;

function optionsOf(id: string, changes: Partial<RaftOptions> = {}): RaftOptions {
  return {
    id,
    electionTicks,
    heartbeatTicks,
    quiesceTicks: undefined,
    appendBytesMax: 10_000,
    inflightMessagesMax: 3,
    inflightBytesMax: 100_000,
    uncommittedBytesMax: 100_000,
    applyBytesMax: 100_000,
    memoryBytesMax: 1_000_000,
    promotionLagMax: 2,
    random: new Prng(id.charCodeAt(0)),
    ...changes,
  };
}

export interface StartOptions {
  readonly voters?: readonly string[];
  readonly learners?: readonly string[];
  readonly entries?: readonly Entry[];
  readonly hardState?: HardState;
  readonly options?: Partial<RaftOptions>;
}

/** A machine as it starts; the time in which it may have promised its vote is over. */
export function machine(id: string, start: StartOptions = {}): Raft {
  const { voters = ['a', 'b', 'c'], learners = [], entries = [], options } = start;
  const configuration = { voters, outgoing: [], learners };
  const raft = new Raft(optionsOf(id, options), {
    hardState: start.hardState ?? {
      term: entries.at(-1)?.term ?? 0,
      vote: undefined,
      acknowledged: undefined,
    },
    log: new RaftLog({ index: 0, term: 0, configuration }, entries, 0),
  });
  return raft;
}

export const command = (index: number, term: number, text = `${index}`): Entry => ({
  kind: 'command',
  index,
  term,
  payload: new TextEncoder().encode(text),
});

/** Several machines, a network that delivers in order, and a medium that syncs on request. */
export class Machines {
  readonly all = new Map<string, Raft>();
  readonly applied = new Map<string, Entry[]>();
  readonly reads = new Map<string, ReadAnswer[]>();
  readonly pending: { readonly raft: Raft; readonly persist: Persist }[] = [];
  readonly fetches: Fetch[] = [];
  /** Messages that have left their nodes. */
  inFlight: Message[] = [];
  /** All that have ever left their nodes. */
  readonly sent: Message[] = [];
  /** Whoever is in here neither receives nor sends. */
  readonly isolated = new Set<string>();

  constructor(ids: readonly string[], start: StartOptions = {}) {
    for (const id of ids) this.all.set(id, machine(id, start));
  }

  of(id: string): Raft {
    return this.all.get(id) as Raft;
  }

  /** Takes what the machines want done; syncs wait for `sync`. */
  collect(): void {
    for (const [id, raft] of this.all) {
      while (raft.hasReady) {
        const { persist, send, apply, reads, fetch } = raft.ready();
        this.fetches.push(...fetch);
        if (persist !== undefined) this.pending.push({ raft, persist });
        this.inFlight.push(...send);
        this.sent.push(...send);
        this.applied.set(id, [...(this.applied.get(id) ?? []), ...apply]);
        this.reads.set(id, [...(this.reads.get(id) ?? []), ...reads]);
        const last = apply.at(-1);
        if (last !== undefined) raft.applied(last.index);
      }
    }
  }

  sync(): void {
    for (const { raft, persist } of this.pending.splice(0)) raft.persisted(persist.token);
    this.collect();
  }

  deliver(): void {
    for (const message of this.inFlight.splice(0)) {
      if (this.isolated.has(message.from) || this.isolated.has(message.to)) continue;
      this.all.get(message.to)?.step(message);
    }
    this.collect();
  }

  /** Until nothing is left to do. */
  settle(): void {
    this.collect();
    for (let steps = 0; steps < 1_000; steps += 1) {
      if (this.inFlight.length === 0 && this.pending.length === 0) return;
      this.sync();
      this.deliver();
    }
    throw new Error('the machines do not come to rest');
  }

  tick(id: string, times = 1): void {
    for (let at = 0; at < times; at += 1) this.of(id).tick();
    this.collect();
  }

  /** Everybody's first election time passes without elections of others; then `id` is elected. */
  elect(id: string): void {
    for (const raft of this.all.values()) {
      if (raft.leaderId === undefined) for (let at = 0; at < electionTicks; at += 1) raft.tick();
    }
    this.collect();
    this.inFlight = [];
    this.of(id).campaign();
    this.settle();
  }

  reconfigure(leader: string, target: MembershipTarget): void {
    this.of(leader).reconfigure(target);
    this.settle();
  }

  payloads(id: string): string[] {
    return (this.applied.get(id) ?? []).flatMap((entry) =>
      entry.kind === 'command' ? [new TextDecoder().decode(entry.payload)] : [],
    );
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What `from` says to the machine. */
export function step(raft: Raft, from: string, term: number, body: MessageBody): void {
  raft.step({ ...body, from, to: raft.id, term });
}
