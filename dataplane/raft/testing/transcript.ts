import type { Configuration } from '../configuration.ts';
import type { Entry } from '../entry.ts';
import type { AppendReply, AppendRequest, Message } from '../message.ts';
import type { Raft } from '../raft.ts';
import type { Persist } from '../ready.ts';
import { bytes, electionTicks, Machines } from './machines.ts';

/**
 * What machines do, as text that a reader of the thesis can follow. Lines that begin with `>` are commands; what follows
 * them is what happened: states, writes to the log, messages, entries that were applied, reads that were answered.
 */
const idsOf = (text = ''): string[] => (text === '' ? [] : text.split(','));

const shownEntry = (entry: Entry): string => {
  const place = `${entry.index}/${entry.term}`;
  if (entry.kind === 'command') return `${place} "${new TextDecoder().decode(entry.payload)}"`;
  return entry.kind === 'empty'
    ? `${place} empty`
    : `${place} ${shownMembers(entry.configuration)}`;
};

function shownMembers({ voters, outgoing, learners }: Configuration): string {
  const joint = outgoing.length > 0 ? ` and voters ${outgoing.join(',')}` : '';
  const others = learners.length > 0 ? `, learners ${learners.join(',')}` : '';
  return `voters ${voters.join(',')}${joint}${others}`;
}

function shownAppend({ previousIndex, previousTerm, committed, entries }: AppendRequest): string {
  const what = entries.map(shownEntry).join(', ') || 'nothing';
  return `behind ${previousIndex}/${previousTerm}, committed ${committed}: ${what}`;
}

const shownAppendReply = ({ isRejected, index, hintIndex, hintTerm }: AppendReply): string =>
  isRejected ? `rejected ${index}, perhaps ${hintIndex}/${hintTerm}` : `accepted ${index}`;

function shownBody(message: Message): string {
  switch (message.type) {
    case 'preVote':
    case 'vote':
      return `last ${message.lastIndex}/${message.lastTerm}${message.isTransfer ? ', transfer' : ''}`;
    case 'preVoteReply':
    case 'voteReply':
      return message.isGranted ? 'granted' : 'refused';
    case 'append':
      return shownAppend(message);
    case 'appendReply':
      return shownAppendReply(message);
    case 'heartbeat':
      return `round ${message.round}, committed ${message.committed}${message.isLast ? ', the last' : ''}`;
    case 'heartbeatReply':
      return `round ${message.round}`;
    case 'snapshot':
      return `${message.snapshot.index}/${message.snapshot.term} ${shownMembers(message.snapshot.configuration)}`;
    case 'timeoutNow':
      return 'campaign at once';
    case 'note':
      return `${message.payload.byteLength} bytes`;
  }
}

function shownWrite({ hardState, snapshot, truncateFrom, entries }: Persist): string {
  const parts = [
    hardState && `term ${hardState.term}, vote ${hardState.vote ?? 'none'}`,
    snapshot && `snapshot ${snapshot.index}/${snapshot.term}`,
    truncateFrom && `nothing from ${truncateFrom} on`,
    ...entries.map(shownEntry),
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

const shownState = ({ role, term, leaderId, log, configuration }: Raft): string =>
  `${role}, term ${term}, leader ${leaderId ?? 'unknown'}, committed ${log.committed} of ${log.last}, ${shownMembers(configuration)}`;

class Transcript {
  #machines = new Machines([]);
  #states = new Map<string, string>();
  readonly #applied = new Map<string, number>();
  readonly #reads = new Map<string, number>();
  readonly #messages = new Set<Message>();
  readonly #writes = new Set<Persist>();

  readonly #commands: Readonly<Record<string, (args: readonly string[]) => void>> = {
    start: ([ids, voters = ids, learners]) => {
      const members = { voters: idsOf(voters), learners: idsOf(learners) };
      this.#machines = new Machines(idsOf(ids), members);
    },
    tick: ([id = '', times = '1']) => this.#machines.tick(id, Number(times)),
    timeout: ([id = '']) => this.#machines.tick(id, 2 * electionTicks),
    suspect: ([id = '', other = '']) => void this.#machines.of(id).suspect(other),
    campaign: ([id = '']) => this.#machines.of(id).campaign(),
    propose: ([id = '', ...words]) =>
      this.#asked(this.#machines.of(id).propose(words.map((word) => bytes(word)))),
    read: ([id = '', number]) => this.#machines.of(id).read(Number(number)),
    reconfigure: ([id = '', voters, learners]) =>
      this.#asked(
        this.#machines.of(id).reconfigure({ voters: idsOf(voters), learners: idsOf(learners) }),
      ),
    transfer: ([id = '', to = '']) => this.#asked(this.#machines.of(id).transferTo(to)),
    compact: ([id = '', index]) => this.#machines.of(id).compacted(Number(index)),
    isolate: (ids) => ids.forEach((id) => this.#machines.isolated.add(id)),
    join: (ids) => ids.forEach((id) => this.#machines.isolated.delete(id)),
    sync: (ids) => {
      for (const { raft, persist } of this.#machines.pending.splice(0)) {
        if (ids.length === 0 || ids.includes(raft.id)) raft.persisted(persist.token);
        else this.#machines.pending.push({ raft, persist });
      }
    },
    deliver: () => this.#machines.deliver(),
    drop: () => void this.#machines.inFlight.splice(0),
    settle: () => this.#machines.settle(),
  };

  #refusal: string | undefined;

  #asked(answer: { readonly refused?: string } | { readonly index: number } | undefined): void {
    if (answer !== undefined && 'refused' in answer) this.#refusal = `refused: ${answer.refused}`;
  }

  /** What the command caused, a line for each thing. */
  run(command: string): readonly string[] {
    const [name = '', ...args] = command.split(' ').map((word) => (word === '-' ? '' : word));
    const found = this.#commands[name];
    if (found === undefined) throw new Error(`unknown command: ${command}`);
    found(args);
    this.#machines.collect();
    const refusal = this.#refusal === undefined ? [] : [this.#refusal];
    this.#refusal = undefined;
    return [...refusal, ...this.#news()];
  }

  #news(): string[] {
    const { all, pending, inFlight } = this.#machines;
    const lines: string[] = [];
    const news = [...all].map(([id, raft]): [string, string] => [id, shownState(raft)]);
    for (const [id, state] of news)
      if (this.#states.get(id) !== state) lines.push(`${id} is ${state}`);
    this.#states = new Map(news);
    for (const { raft, persist } of pending) {
      if (!this.#writes.has(persist)) lines.push(`${raft.id} writes ${shownWrite(persist)}`);
      this.#writes.add(persist);
    }
    for (const message of inFlight) {
      const { from, to, type, term } = message;
      if (!this.#messages.has(message))
        lines.push(`${from} to ${to}: ${type} in term ${term}, ${shownBody(message)}`);
      this.#messages.add(message);
    }
    return [...lines, ...this.#answers()];
  }

  #answers(): string[] {
    const lines: string[] = [];
    for (const [id, entries] of this.#machines.applied) {
      const fresh = entries.slice(this.#applied.get(id) ?? 0);
      this.#applied.set(id, entries.length);
      if (fresh.length > 0) lines.push(`${id} applies ${fresh.map(shownEntry).join(', ')}`);
    }
    for (const [id, reads] of this.#machines.reads) {
      const fresh = reads.slice(this.#reads.get(id) ?? 0);
      this.#reads.set(id, reads.length);
      for (const { id: read, index } of fresh)
        lines.push(
          `${id} answers read ${read}: ${index === undefined ? 'refused' : `at ${index}`}`,
        );
    }
    return lines;
  }
}

/** The text with what happens now behind each command. */
export function rewritten(text: string): string {
  const transcript = new Transcript();
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('  ')) continue;
    lines.push(line);
    if (!line.startsWith('> ')) continue;
    for (const happened of transcript.run(line.slice(2))) lines.push(`  ${happened}`);
  }
  return lines.join('\n');
}
