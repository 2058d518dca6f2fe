import { Prng } from '../../../dataplane/common/prng.ts';
import type { Message } from '../../../dataplane/gossip/message.ts';
import { Network } from '../network.ts';
import { SafetyViolation } from '../violation.ts';
import { VirtualTime } from '../virtual-time.ts';
import { defaults, SimulatedMember, tickMs } from './simulated-member.ts';

/**
 * How long members go without a probe in a calm cluster. A probe that a node receives may replace one of its own, so
 * that a node probes in every second period at least, and each other one within two of SWIM's bound of 2n - 1 periods.
 */
export interface CoverageResult {
  /** Probes that a node sends in a period. */
  readonly probes: number;
  /** The longest time in which no node has probed some member, in periods. */
  readonly unprobed: number;
}

const periodMs = defaults.probePeriodTicks * tickMs;
const faults = { loss: 0, duplication: 0, delayMs: { least: 0.2, most: 2 }, stragglers: 0 };
/** Ticks of a simulated member come up to a twentieth late. */
const lateness = 1.06;

/** When something that has a name was seen last, and the longest time between. */
class Gaps {
  readonly #last = new Map<string, number>();
  longest = 0;

  see(name: string, now: number): void {
    this.longest = Math.max(this.longest, now - (this.#last.get(name) ?? 0));
    this.#last.set(name, now);
  }

  end(now: number): void {
    for (const name of this.#last.keys()) this.see(name, now);
  }
}

export function runCoverage(nodes: number, periods: number, seed: number): CoverageResult {
  const [time, random] = [new VirtualTime(), new Prng(seed)];
  const byId = new Map<string, SimulatedMember>();
  const [pairs, probers, targets] = [new Gaps(), new Gaps(), new Gaps()];
  let probes = 0;
  const network = new Network<Message>({ time, random }, faults, (to, message) => {
    const member = byId.get(to);
    member?.run(() => member.node.step(message));
  });
  const send = (message: Message): void => {
    const { type, from, to } = message;
    network.send(from, to, message);
    if (type !== 'ping') return;
    probes += 1;
    pairs.see(`${from} ${to}`, time.now);
    probers.see(from, time.now);
    targets.see(to, time.now);
  };
  const event = (_: SimulatedMember, { id, status }: { id: string; status: string }): void => {
    throw new SafetyViolation(`in a calm cluster somebody said: ${id} ${status}`);
  };
  const hooks = { send, event };
  for (let at = 0; at < nodes; at += 1) {
    byId.set(`n${at}`, new SimulatedMember(`n${at}`, { time, random, hooks }));
  }
  const known = [...byId.keys()].map((id) => {
    return { id, address: id, incarnation: 1, status: 'alive' } as const;
  });
  for (const member of byId.values()) member.start([], known);
  time.runUntil(periods * periodMs);
  for (const gaps of [pairs, probers, targets]) gaps.end(time.now);
  const inPeriods = (ms: number): number => ms / periodMs / lateness;
  if (inPeriods(probers.longest) > 2) {
    throw new SafetyViolation(`a node has not probed for ${probers.longest} ms`);
  }
  const most = 2 * (2 * nodes - 1);
  if (inPeriods(pairs.longest) > most) {
    throw new SafetyViolation(`a node has not probed another one for ${pairs.longest} ms`);
  }
  return { probes: probes / nodes / periods, unprobed: inPeriods(targets.longest) };
}
