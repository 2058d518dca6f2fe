import type { Mutant, MutantSuite } from './mutants.ts';

/** Known and likely bugs between Raft and its log, clock, transport and machines; the tests must find each of them. */
const group = 'dataplane/replication/raft-group.ts';
const groups = 'dataplane/replication/raft-groups.ts';
const handOver = 'dataplane/replication/hand-over.ts';
const records = 'dataplane/replication/member-records.ts';
const recovered = 'dataplane/replication/recovered-groups.ts';
const reads = 'dataplane/replication/read-index.ts';
const snapshots = 'dataplane/replication/snapshot-traffic.ts';
const writer = 'dataplane/replication/member-writer.ts';

const clusterMutants: readonly Mutant[] = [
  {
    bug: 'a member answers before its log is synced',
    file: writer,
    from: 'await this.#persist(writes.flatMap(({ records }) => records));',
    to: 'void this.#persist(writes.flatMap(({ records }) => records));',
  },
  {
    bug: 'a term and a vote do not reach the log',
    file: records,
    from: 'hardState === undefined ? [] : [hardState];',
    to: '[];',
  },
  {
    bug: 'a vote does not reach the log with its term',
    file: records,
    from: 'vote === undefined ? noBytes : encodeUtf8(vote);',
    to: 'vote === undefined ? noBytes : noBytes;',
  },
  {
    bug: 'entries that a new leader replaced stay in the log',
    file: records,
    from: 'if (truncateFrom !== undefined)',
    to: 'if (truncateFrom === -1)',
  },
  {
    bug: 'the log is not restarted behind a transferred state',
    file: records,
    from: 'if (snapshot !== undefined) {',
    to: 'if (snapshot === null) {',
  },
  {
    bug: 'entries are committed because the log has them',
    file: recovered,
    from: 'Math.min(hardState.committed, raftLog.last)',
    to: 'raftLog.last',
  },
  {
    bug: 'a member that lost committed entries votes',
    file: recovered,
    from: 'if (hardState.committed > end) {',
    to: 'if (end === -1) {',
  },
  {
    bug: 'a member with a damaged log votes',
    file: recovered,
    from: 'if (damage !== undefined) return',
    to: 'if (damage === null) return',
  },
  {
    bug: 'the log from before a transferred state is continued',
    file: recovered,
    from: 'return own === undefined || own.term === applied.term;',
    to: 'return own === undefined || own.term >= 0;',
  },
  {
    bug: 'a restart in the log leaves older entries in force',
    file: recovered,
    from: 'if (kind === logOrder.restart) known.length = 0;',
    to: 'if (kind === logOrder.restart) return;',
  },
  {
    bug: 'a truncation in the log is not followed when it is opened',
    file: recovered,
    from: 'else if (kind === logOrder.truncate) while ((known.at(-1)?.index ?? -1) >= index) known.pop();',
    to: 'else if (kind === logOrder.truncate) return;',
  },
  {
    bug: 'proposals are not withdrawn when leadership is lost',
    file: group,
    from: 'this.#handOver.withdrawn(withdrawnFrom);',
    to: 'this.#handOver.led(false);',
  },
  {
    bug: 'a withdrawn proposal counts as own when another leader commits in its place',
    file: handOver,
    from: 'this.#proposed.splice(first);',
    to: '',
  },
  {
    bug: 'a node leads before everything that was committed is handed over',
    file: group,
    from: "const isOpened = handed.some(({ kind, term }) => kind === 'empty' && term === raft.term);",
    to: 'const isOpened = handed.length > 0;',
  },
  {
    bug: 'reads are answered without a lease',
    file: group,
    from: 'const isHeld = raft.isLeaseSound && this.#lease.isHeld(this.#options.clock.now());',
    to: 'const isHeld = raft.isLeaseSound;',
  },
  {
    bug: 'a lease holds although somebody was invited to campaign',
    file: group,
    from: 'const isHeld = raft.isLeaseSound && this.#lease',
    to: 'const isHeld = this.#lease',
  },
  {
    bug: 'a read is answered before what it must see is handed over',
    file: reads,
    from: 'else this.#waiting.push({ index, answer });',
    to: 'else answer.resolve();',
  },
  {
    bug: 'a state is believed before it has arrived',
    file: snapshots,
    from: "return message.type !== 'snapshot' || this.#options.snapshots?.has(message.snapshot) === true;",
    to: "return message.type !== 'snapshot' || this.#options.snapshots !== undefined;",
  },
  {
    bug: 'a transferred state is announced with the position where the log begins',
    file: snapshots,
    from: 'this.#options.send({ ...message, snapshot });',
    to: 'this.#options.send(message);',
  },
  {
    bug: 'entries are handed over while a transferred state is installed',
    file: group,
    from: 'if (this.#hasLeft || this.#isInstalling || !this.raft.hasReady) return false;',
    to: 'if (this.#hasLeft || !this.raft.hasReady) return false;',
  },
  {
    bug: 'what a full log refused is never written',
    file: writer,
    from: 'if (!isRefusal(error)) throw error;\n        this.#isBlocked = true;',
    to: 'if (!isRefusal(error)) throw error;\n        return;',
  },
  {
    bug: 'a group that sleeps does not notice that its leader is suspected',
    file: groups,
    from: 'if (group.raft.suspect(node)) this.#touch(group);',
    to: 'if (group.isAwake && group.raft.suspect(node)) this.#touch(group);',
  },
  {
    bug: 'a configuration is not written with the entry that has it',
    file: records,
    from: 'const payload = encodeConfiguration(entry.configuration);',
    to: 'const payload = encodeConfiguration({ ...entry.configuration, outgoing: [] });',
  },
];

export const clusterSuite: MutantSuite = {
  mutants: clusterMutants,
  sources: ['common', 'disk', 'raft', 'replication', 'wal', 'node/clock.ts'],
  testSources: ['simulation'],
  testFiles: [
    'dataplane/replication/member-records.test.ts',
    'dataplane/replication/recovered-groups.test.ts',
    'dataplane/replication/raft-groups.test.ts',
    'test/simulation/cluster.test.ts',
    'dataplane/replication/raft-groups.compliance.test.ts',
  ],
};
