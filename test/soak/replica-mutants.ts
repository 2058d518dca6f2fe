import type { Mutant, MutantSuite } from './mutants.ts';

/** Known and likely bugs of a database over groups of several members; the tests must find each of them. */
const proposer = 'dataplane/shard/proposer.ts';
const raftGroup = 'dataplane/replication/raft-group.ts';
const replica = 'dataplane/shard/shard-replica.ts';
const metadata = 'dataplane/database/metadata-group.ts';
const recovery = 'dataplane/database/recovery.ts';
const membership = 'dataplane/database/membership.ts';
const expiring = 'dataplane/database/expiring-tables.ts';
const applier = 'dataplane/apply/applier.ts';
const position = 'dataplane/apply/applied-position.ts';
const receiver = 'dataplane/transfer/snapshot-receiver.ts';
const install = 'dataplane/transfer/snapshot-install.ts';
const retries = 'dataplane/shard/retries.ts';
const writePath = 'dataplane/shard/write-path.ts';
const sessions = 'dataplane/apply/stored-sessions.ts';
const sessionTable = 'dataplane/table/session-table.ts';

const verification = 'dataplane/shard/verification.ts';
const care = 'dataplane/shard/replica-care.ts';

const replicaMutants: readonly Mutant[] = [
  {
    bug: 'a deposed leader takes proposals until its next turn, over the indexes of those that it loses',
    file: raftGroup,
    from: 'const isReady = this.#handOver.isLed && isLeading && !isTransferring && !this.#hasLeft;',
    to: 'const isReady = this.#handOver.isLed && (isLeading || !isLeading) && !isTransferring && !this.#hasLeft;',
  },
  {
    bug: 'a replica that was healed on the way waits for a state that nobody sends',
    file: care,
    from: '(isHealed || now > this.#held.untilMs)',
    to: 'now > this.#held.untilMs',
  },
  {
    bug: 'a comparison of replicas compares nothing',
    file: verification,
    from: '`${count} ${bytes} ${hash}`;',
    to: '`${count * 0} ${bytes * 0} ${hash * 0}`;',
  },
  {
    bug: 'a leader in the minority has the majority rebuilt',
    file: verification,
    from: 'const majority = majorityOf(values, voters);',
    to: 'const majority = majorityOf(values, voters.slice(0, 1));',
  },
  {
    bug: 'two of five replicas are a majority',
    file: verification,
    from: 'count * 2 > voters.length',
    to: 'count * 2 > voters.length - 2',
  },
  {
    bug: 'a replica that differs answers until its state is replaced',
    file: replica,
    from: '    if (damage === undefined) return;\n',
    to: '    if (damage === undefined || this.care !== undefined) return;\n',
  },
  {
    bug: 'a replica with a lost row keeps its leadership',
    file: care,
    from: '    if (to !== undefined) replicas.transferLeadership(to);\n',
    to: '',
  },
  {
    bug: 'a write is applied twice when it is repeated',
    file: retries,
    from: 'if (record.sequence < session.sequence) return none;',
    to: 'if (record.sequence <= session.sequence) return none;',
  },
  {
    bug: 'a repeated write does not wait for its first attempt',
    file: retries,
    from: 'return session === undefined ? undefined : this.#underWay.get(session.id);',
    to: 'return session === undefined ? this.#underWay.get(String(session)) : undefined;',
  },
  {
    bug: 'a follower does not remember which requests its entries carry out',
    file: proposer,
    from: 'const session = this.#sessionChange(index, command);',
    to: "const session = origin === 'replicated' ? undefined : this.#sessionChange(index, command);",
  },
  {
    bug: 'a repeated write is evaluated again from its first edit',
    file: writePath,
    from: 'const at = this.#evaluateFrom(call, known.length);',
    to: 'const at = this.#evaluateFrom(call, 0);',
  },
  {
    bug: 'a transferred state does not have the requests that were carried out',
    file: install,
    from: "    replaceSessions(transaction, group, decodeSessions(decodeBase64(state.sessions ?? '')));\n",
    to: '',
  },
  {
    bug: 'requests that made room for others stay in the store',
    file: sessions,
    from: "if (record === undefined) transaction.remove('chunk', sessionKey(group, id));",
    to: 'if (record === undefined) continue;',
  },
  {
    bug: 'a request that made room for others counts as never carried out',
    file: sessionTable,
    from: 'if (!isOver) this.#crowdedOut = oldest.index;',
    to: '',
  },
  {
    bug: 'what the log has is taken for committed when a member starts',
    file: recovery,
    from: 'replicate === undefined ? replay.take(record) : replicate.recovered(record),',
    to: 'replay.take(record),',
  },
  {
    bug: 'a follower does not show what is committed before the store has it',
    file: proposer,
    from: 'const applied = this.#showCommitted({ index, command });',
    to: 'const applied = (): void => undefined;',
  },
  {
    bug: 'the memtable is not withdrawn when leadership is lost',
    file: proposer,
    from: '    this.#options.memtable.proposeOnly(this.#proposals.entries());\n',
    to: '',
  },
  {
    bug: 'reads do not ask whether the node still leads',
    file: proposer,
    from: 'const known = this.#replicated.readable(isConfirmed);',
    to: 'const known = undefined as Promise<void> | undefined;',
  },
  {
    bug: 'a read that a majority is to confirm is answered under the lease',
    file: 'dataplane/replication/raft-group.ts',
    from: 'if (isHeld && !isConfirmed) return undefined;',
    to: 'if (isHeld) return undefined;',
  },
  {
    bug: 'an outdated read is answered by a replica that has yet to receive the rows',
    file: replica,
    from: 'if (!isVoter) throw new NotLeaderError(leader.node);',
    to: 'if (!isVoter && leader.isHere) throw new NotLeaderError(leader.node);',
  },
  {
    bug: 'an entry that cannot be applied ends the node of a follower',
    file: proposer,
    from: 'if (command !== undefined) this.#options.notApplicable(command);',
    to: 'if (command !== undefined) throw command;',
  },
  {
    bug: 'entries of consensus take no position in the store',
    file: proposer,
    from: '      applier.push(passed(record));\n',
    to: '',
  },
  {
    bug: 'the applied position has the term of the first leader',
    file: position,
    from: 'new ByteWriter(16).u64(index).u64(term).finish()',
    to: 'new ByteWriter(16).u64(index).u64(1).finish()',
  },
  {
    bug: 'the members are not stored with the position',
    file: applier,
    from: 'if (configuration !== undefined) writeMembers(transaction, group, configuration);',
    to: 'if (configuration === undefined) return true;',
  },
  {
    bug: 'a refused command of the metadata takes no position',
    file: metadata,
    from: "    this.#become(result.type === 'applied' ? result.state : this.#state, { index, term });",
    to: "    if (result.type === 'applied') this.#become(result.state, { index, term });",
  },
  {
    bug: 'a follower goes on behind an unreadable command of the metadata',
    file: metadata,
    from: '    if (this.#frozen !== undefined) return;\n',
    to: '',
  },
  {
    bug: 'a node that joins counts itself among the founders',
    file: membership,
    from: 'const own = isFounder ? first : nobody;',
    to: 'const own = isFounder ? first : foundedBy([replicate.node]);',
  },
  {
    bug: 'a founder that gave its replica away starts the group again',
    file: membership,
    from: ' && !departed.includes(replicate.node);',
    to: ';',
  },
  {
    bug: 'documents expire on every replica',
    file: expiring,
    from: 'if (!tables.isLeading(group.options.group)) return [];',
    to: '',
  },
  {
    bug: 'a changed part is believed',
    file: 'dataplane/transfer/snapshot-message.ts',
    from: 'if (crc !== crc32(covered) ||',
    to: 'if (crc < 0 ||',
  },
  {
    bug: 'a state is whole whatever its parts add up to',
    file: receiver,
    from: 'if (found.count !== count || found.bytes !== bytes || found.hash !== hash) return false;',
    to: 'if (found.count < 0 && count < 0 && bytes < 0 && hash < 0) return false;',
  },
  {
    bug: 'a part that comes again is taken again',
    file: receiver,
    from: "if (part.number < arrival.next) return { type: 'next', number: part.number + 1 };",
    to: '',
  },
  {
    bug: 'rows that are not in the state that arrived stay',
    file: install,
    from: '  await clearRows(home, shard, isWanted);\n',
    to: '',
  },
  {
    bug: 'an installation that was interrupted is not finished by the next start',
    file: recovery,
    from: '  await finishInstalls({ store, clock, walks: parts.walks }, tables.state);\n',
    to: '',
  },
  {
    bug: 'documents are read from the cache when the rows were replaced',
    file: replica,
    from: '    this.options.cache.clear();\n',
    to: '',
  },
  {
    bug: 'a returned member forgets how far its former log was',
    file: raftGroup,
    from: 'new Raft(raft, { hardState, log })',
    to: 'new Raft(raft, { hardState: { ...hardState, acknowledged: undefined }, log })',
  },
];

export const replicaSuite: MutantSuite = {
  mutants: replicaMutants,
  sources: [
    'common',
    'config',
    'datum',
    'disk',
    'kv',
    'metadata',
    'partition',
    'raft',
    'replication',
    'integrity',
    'apply',
    'shard',
    'maintenance',
    'transfer',
    'database',
    'table',
    'wal',
    'wire',
    'query',
    'router',
    'net',
    'membership',
    'gossip',
    'security',
    'observability',
    'node',
  ],
  testSources: ['simulation'],
  testFiles: [
    'dataplane/apply/applied-position.test.ts',
    'dataplane/apply/stored-sessions.test.ts',
    'dataplane/table/session-table.test.ts',
    'dataplane/database/repeated-writes.test.ts',
    'dataplane/transfer/snapshot-message.test.ts',
    'dataplane/database/replicas.test.ts',
    'dataplane/database/raft-databases.test.ts',
    'dataplane/node/routing/read-modes.test.ts',
    'dataplane/database/self-repair.test.ts',
    'dataplane/shard/verification.test.ts',
    'test/simulation/database.test.ts',
    'test/simulation/routing.test.ts',
    'dataplane/replication/returned-replica.test.ts',
  ],
};
