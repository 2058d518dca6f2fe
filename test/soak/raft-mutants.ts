import type { Mutant, MutantSuite } from './mutants.ts';

/** Known and likely bugs of a Raft; the simulation must find each of them. */
const raft = 'dataplane/raft/raft.ts';
const leader = 'dataplane/raft/leader.ts';
const follower = 'dataplane/raft/follower.ts';
const message = 'dataplane/raft/message.ts';
const log = 'dataplane/raft/raft-log.ts';
const quorum = 'dataplane/raft/quorum.ts';

const raftMutants: readonly Mutant[] = [
  {
    bug: 'a vote is given before it is durable',
    file: message,
    from: "voteReply: 'hardState',",
    to: "voteReply: 'none',",
  },
  {
    bug: 'an append is acknowledged before it is synced',
    file: message,
    from: "appendReply: 'log',",
    to: "appendReply: 'hardState',",
  },
  {
    bug: 'a leader counts itself before its own log is synced',
    file: raft,
    from: 'acknowledge(this.log.durable);',
    to: 'acknowledge(this.log.last);',
  },
  {
    bug: 'an entry of an older term is committed by counting',
    file: leader,
    from: 'index > log.committed && log.matches(index, term) ? index',
    to: 'index > log.committed ? index',
  },
  {
    bug: 'learners count in the quorum',
    file: quorum,
    from: 'const value = reachedBy(voters, of);',
    to: 'const value = reachedBy([...voters, ...learners], of);',
  },
  {
    bug: 'a joint configuration commits without a majority of its old half',
    file: quorum,
    from: 'return outgoing.length === 0 ? value : Math.min(value, reachedBy(outgoing, of));',
    to: 'return value;',
  },
  {
    bug: 'an election in a joint configuration needs only its new half',
    file: quorum,
    from: 'if (outgoing.length === 0) return incoming;',
    to: 'if (outgoing.length >= 0) return incoming;',
  },
  {
    bug: 'a vote is given to a log that is shorter',
    file: log,
    from: '(lastTerm === this.lastTerm && lastIndex >= this.last)',
    to: 'lastTerm === this.lastTerm',
  },
  {
    bug: 'a vote is given to a log whose last term is older',
    file: log,
    from: 'return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.last);',
    to: 'return lastTerm > 0 || lastIndex >= this.last;',
  },
  {
    bug: 'two candidates get a vote in one term',
    file: raft,
    from: '(this.hardState.vote === undefined || this.hardState.vote === from);',
    to: 'true;',
  },
  {
    bug: 'the vote of a term is forgotten when it is durable',
    file: raft,
    from: 'if (this.hardState.vote === undefined) this.#persistence.setHardState({ term, vote: from });',
    to: '',
  },
  {
    bug: 'who hears a leader helps to depose it, and leases are served',
    file: raft,
    from: 'return this.#timer.isSticky(this.leaderId !== undefined);',
    to: 'return false;',
  },
  {
    bug: 'a lease is served after somebody was invited to an election',
    file: raft,
    from: 'return this.#leader?.hasInvited === false && this.#hasCommittedInTerm;',
    to: 'return this.#leader !== undefined && this.#hasCommittedInTerm;',
  },
  {
    bug: 'a restarted node forgets that it may have promised not to vote',
    file: 'dataplane/raft/election-timer.ts',
    from: '(knowsLeader || this.#mayHavePromised)',
    to: 'knowsLeader',
  },
  {
    bug: 'a lease lasts twice as long as the promise behind it',
    file: 'dataplane/raft/lease.ts',
    from: 'this.#lengthMs = electionMs * (1 - driftMax) * (1 - driftMax);',
    to: 'this.#lengthMs = electionMs * 2 * (1 - driftMax);',
  },
  {
    bug: 'a read does not wait for a round of heartbeats',
    file: leader,
    from: 'if (!this.reads.isEmpty) this.answers.push(...this.reads.release(this.ackedRound));',
    to: 'if (!this.reads.isEmpty) this.answers.push(...this.reads.release(this.round));',
  },
  {
    bug: 'a read is answered by a round that began before it',
    file: raft,
    from: 'leader.reads.add(id, index, leader.round + 1);',
    to: 'leader.reads.add(id, index, leader.round - 5);',
  },
  {
    bug: 'a new leader answers reads before it has committed an entry of its term',
    file: raft,
    from: 'const index = this.#hasCommittedInTerm ? this.log.committed : undefined;',
    to: 'const index = this.log.committed;',
  },
  {
    bug: 'a follower does not compare the term in front of new entries',
    file: follower,
    from: 'if (!log.matches(previousIndex, previousTerm)) return',
    to: 'if (previousIndex > log.last || previousIndex < log.snapshot.index) return',
  },
  {
    bug: 'a follower keeps its own entries in the place of its leader’s',
    file: follower,
    from: 'if (log.matches(entry.index, entry.term)) continue;',
    to: 'if (entry.index <= log.last) continue;',
  },
  {
    bug: 'an old append that arrives late truncates what came after it',
    file: follower,
    from: 'if (log.matches(entry.index, entry.term)) continue;\n    if (entry.index <= log.committed) return undefined;',
    to: 'if (entry.index <= log.committed) continue;',
  },
  {
    bug: 'a follower commits what its leader never said that it has',
    file: follower,
    from: 'commitUpTo(log, Math.min(request.committed, last));',
    to: 'commitUpTo(log, Math.min(request.committed, log.last));',
  },
  {
    bug: 'a heartbeat commits beyond what the follower is known to have',
    file: leader,
    from: 'const committed = Math.min(match, this.#context.log.committed);',
    to: 'const committed = Math.max(match, this.#context.log.committed);',
  },
  {
    bug: 'entries that were truncated while they were written count as durable',
    file: 'dataplane/raft/persistence.ts',
    from: 'for (const batch of this.#outstanding) batch.last = Math.min(batch.last, from - 1);',
    to: '',
  },
  {
    bug: 'the truncation of the log does not reach the medium',
    file: 'dataplane/raft/persistence.ts',
    from: 'this.#truncateFrom = Math.min(from, this.#truncateFrom ?? from);',
    to: '',
  },
  {
    bug: 'a snapshot brings no configuration',
    file: log,
    from: `    this.#terms = [{ from: snapshot.index, term: snapshot.term }];
    this.#configurations = [snapshot];
  }

  /** The log on disk`,
    to: `    this.#terms = [{ from: snapshot.index, term: snapshot.term }];
    this.#configurations = this.#configurations.slice(0, 1);
  }

  /** The log on disk`,
  },
  {
    bug: 'a truncated configuration stays in effect',
    file: log,
    from: 'this.#configurations = this.#configurations.filter(({ index }) => index < from);',
    to: '',
  },
  {
    bug: 'the old half of a joint configuration goes before the joint one is committed',
    file: raft,
    from: 'if (newest.index > committed) return;',
    to: '',
  },
  {
    bug: 'a group stops its heartbeats while a member lacks entries',
    file: leader,
    from: 'match === last && (id === own',
    to: 'match >= 0 || (id === own',
  },
  {
    bug: 'an append that was lost is never sent again',
    file: leader,
    from: 'if (progress.match >= this.#context.log.last) return;',
    to: 'if (progress.match <= this.#context.log.last) return;',
  },
  {
    bug: 'a large append that was lost is never sent again',
    file: 'dataplane/raft/progress.ts',
    from: 'round < this.#large.lostAt',
    to: 'round >= 0',
  },
  {
    bug: 'a large append is sent again whenever something overtakes it',
    file: 'dataplane/raft/progress.ts',
    from: 'round < this.#large.lostAt',
    to: 'round < 0',
  },
  {
    bug: 'a removed voter does not campaign before its removal is committed',
    file: raft,
    from: 'return isVoter(configuration, this.id) || isVoter(this.log.configurationAt(committed), this.id);',
    to: 'return isVoter(configuration, this.id) && committed >= 0;',
  },
  {
    bug: 'proposals of a leader that lost its place are never withdrawn',
    file: raft,
    from: 'this.#withdrawnFrom = this.log.committed + 1;',
    to: '',
  },
];

export const raftSuite: MutantSuite = {
  mutants: raftMutants,
  sources: ['common', 'raft'],
  testSources: ['simulation'],
  testFiles: [
    'dataplane/raft/lease.test.ts',
    'dataplane/raft/membership.test.ts',
    'dataplane/raft/quorum.test.ts',
    'dataplane/raft/raft.test.ts',
    'test/simulation/raft.test.ts',
  ],
};
